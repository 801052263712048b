// Runs the groups of rows: each mode in turn, so many rounds, where the order changes from round to round. What a machine does meanwhile
// falls on all modes alike, and ratios are taken within a round.
import { measure } from "./processes.mjs";

/** The task of one piece of work. */
function taskOf(group, mode, { quick, ports, toxiproxy }) {
  const how = mode === "control" ? "direct" : mode;
  return {
    mode: how,
    port: ports[group.port ?? "echo"],
    udp: ports.udp,
    bulk: ports.bulk,
    policy: (quick && group.quickPolicy) || group.policy,
    toxics: group.toxics,
    toxiproxy,
    ...group.task,
    ...group.tasks?.[mode],
    ...(quick ? group.quick : {}),
  };
}

/** The metrics that a mode has to tell. */
export const metricsOf = (group, mode) =>
  group.metrics.filter(({ modes = group.modes, linux }) => modes.includes(mode) && (linux !== true || process.platform === "linux"));

async function one(group, mode, context) {
  const result = await measure(group.work, taskOf(group, mode, context));
  for (const { key } of metricsOf(group, mode)) {
    if (!Number.isFinite(result[key])) throw new Error(`${group.work} (${mode}) tells no ${key}: ${JSON.stringify(result)}`);
  }
  return result;
}

/** Measures a group: for each mode, what its runs told, round by round. */
export async function runGroup(group, context) {
  const wanted = (context.quick && group.quickModes) || group.modes;
  const modes = wanted.filter((mode) => mode !== "toxiproxy" || context.toxiproxy !== undefined);
  const results = Object.fromEntries(modes.map((mode) => [mode, []]));
  if (context.quick) {
    await Promise.all(modes.map(async (mode) => results[mode].push(await one(group, mode, context))));
    return results;
  }
  await one(group, modes[0], context); // warms the server and the disk's cache
  const rounds = context.rounds ?? group.rounds;
  const leastRounds = context.rounds ?? group.leastRounds ?? rounds;
  const start = performance.now();
  for (let round = 0; round < rounds; round++) {
    if (round >= leastRounds && performance.now() - start > group.budgetMs) break;
    const shift = round % modes.length;
    for (const mode of [...modes.slice(shift), ...modes.slice(0, shift)]) results[mode].push(await one(group, mode, context));
  }
  return results;
}
