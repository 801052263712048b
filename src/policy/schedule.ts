/** The schema of `schedule`: each kind has its own fields, and no other kind's. */
import { z } from "zod";
import type { FlappingOf, RampOf, Read, ScheduleOf, SpikeOf, Written } from "./fields.ts";
import { choice, described, group, positiveDuration } from "./leaves.ts";

const anchor = choice(
  "What starts the clock: the first application of the policy in the process, or each scope. Default process.",
  ["process", "scope"],
  { default: "process" },
).optional();

function kind<const Kind extends string>(name: Kind, description: string): z.ZodType<Kind, Kind> {
  return described(z.literal(name), description);
}

const ramp = group<RampOf<Written>, RampOf<Read>>({
  kind: kind("ramp", "The faults grow from nothing to their full severity."),
  ramp: positiveDuration("Time in which the severity grows from 0 to 1."),
  anchor,
});

const spike = group<SpikeOf<Written>, SpikeOf<Read>>(
  {
    kind: kind("spike", "The faults act for a while, again and again."),
    every: positiveDuration("Time from the start of one spike to the start of the next."),
    duration: positiveDuration("Length of a spike; at most `every`."),
    anchor,
  },
  (fields, refuse) => {
    if (fields.duration > fields.every) refuse(["duration"], "is longer than `every`", "a duration of at most `every`");
  },
);

const flapping = group<FlappingOf<Written>, FlappingOf<Read>>({
  kind: kind("flapping", "The faults turn on and off."),
  on: positiveDuration("How long the faults are on; the schedule starts on."),
  off: positiveDuration("How long the faults are off."),
  anchor,
});

type Discriminable = z.core.$ZodTypeDiscriminable;

/** The schema of `schedule`. */
export const scheduleSchema: z.ZodType<ScheduleOf<Read>, ScheduleOf<Written>> = z.discriminatedUnion("kind", [
  ramp as unknown as Discriminable,
  spike as unknown as Discriminable,
  flapping as unknown as Discriminable,
]) as unknown as z.ZodType<ScheduleOf<Read>, ScheduleOf<Written>>;
