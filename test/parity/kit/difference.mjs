// Shows in what two traces differ.

/** Line by line, per actor: "-" is what the first trace has, "+" the second one. Actors that agree are left out. */
export function difference(before, after) {
  const parts = [];
  for (const actor of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const first = before[actor] ?? [];
    const second = after[actor] ?? [];
    if (JSON.stringify(first) !== JSON.stringify(second)) parts.push(`  ${actor}:`, ...alignLines(first, second));
  }
  return parts.join("\n");
}

function alignLines(before, after) {
  const lines = [];
  let b = 0;
  let a = 0;
  for (const line of [...longestCommon(before, after), undefined]) {
    while (b < before.length && before[b] !== line) lines.push(`  - ${before[b++]}`);
    while (a < after.length && after[a] !== line) lines.push(`  + ${after[a++]}`);
    if (line !== undefined) lines.push(`    ${line.length > 120 ? `${line.slice(0, 120)}…` : line}`);
    b++;
    a++;
  }
  return lines;
}

function longestCommon(before, after) {
  const lengths = Array.from({ length: before.length + 1 }, () => Array.from({ length: after.length + 1 }, () => 0));
  for (let b = before.length - 1; b >= 0; b--) {
    for (let a = after.length - 1; a >= 0; a--) {
      lengths[b][a] = before[b] === after[a] ? lengths[b + 1][a + 1] + 1 : Math.max(lengths[b + 1][a], lengths[b][a + 1]);
    }
  }
  const common = [];
  for (let b = 0, a = 0; b < before.length && a < after.length;) {
    if (before[b] === after[a]) {
      common.push(before[b++]);
      a++;
    } else if (lengths[b + 1][a] >= lengths[b][a + 1]) b++;
    else a++;
  }
  return common;
}
