/** The schema of `payload_mutation`, and what each of its types needs. */
import type { z } from "zod";
import type { MutationType, PayloadMutationOf, Read, Written } from "./fields.ts";
import { choice, flag, group, integer, positiveSize, probability, seed, size, text, type GroupCheck } from "./leaves.ts";

type Mutation = PayloadMutationOf<Read>;

const TYPES = ["none", "truncate", "corrupt_bytes", "inject_bytes", "replace_pattern", "corrupt_encoding", "swap_bytes"] as const;
/** Offsets and counts within a packet, which has 64 KiB at most. */
const MAX_OFFSET = 65_535;

const NEEDED: Readonly<Record<MutationType, readonly (keyof Mutation)[]>> = {
  none: [],
  truncate: ["truncateSize"],
  corrupt_bytes: ["corruptCount"],
  inject_bytes: ["injectData"],
  replace_pattern: ["replaceFind", "replaceWith"],
  corrupt_encoding: [],
  swap_bytes: ["swapPos1", "swapPos2"],
};

const check: GroupCheck<Mutation> = (fields, refuse) => {
  if (fields.type === undefined) {
    if (fields.enabled !== false) refuse(["type"], "is missing", `one of ${TYPES.join(", ")}`);
    return;
  }
  for (const field of NEEDED[fields.type]) {
    if (fields[field] === undefined) refuse([field], "is missing", `a value, since the type is ${fields.type}`);
  }
  if (fields.type === "swap_bytes" && fields.swapPos1 !== undefined && fields.swapPos1 === fields.swapPos2) {
    refuse(["swapPos2"], "is the same position as the other one", "another position");
  }
  if (fields.minSize !== undefined && fields.maxSize !== undefined && fields.minSize > fields.maxSize) {
    refuse(["maxSize"], "is less than the minimum size, so that no packet qualifies", "at least the minimum size");
  }
};

/** The schema of `payload_mutation`. */
export const mutationSchema: z.ZodType<PayloadMutationOf<Read>, PayloadMutationOf<Written>> = group(
  {
    enabled: flag("Whether the mutation acts. Default true.", { default: true }).optional(),
    prob: probability("Probability per packet. Default 100%.", { default: "100%" }).optional(),
    type: choice("What is done to the bytes. Needed unless `enabled` is false.", TYPES).optional(),
    target: choice("The direction that it acts on. Default both.", ["both", "uplink_only", "downlink_only"], {
      default: "both",
    }).optional(),
    truncateSize: size("truncate: bytes of a packet that are kept.").optional(),
    corruptCount: integer("corrupt_bytes: how many bytes of a packet are changed.", 1, MAX_OFFSET).optional(),
    corruptSeed: seed("corrupt_bytes: a seed of its own for the choice of bytes. Default: the policy's.").optional(),
    injectPosition: integer("inject_bytes: offset in the packet at which the data goes in. Default 0.", 0, MAX_OFFSET, {
      default: 0,
    }).optional(),
    injectData: text("inject_bytes: the text (UTF-8) that goes in.", 1).optional(),
    replaceFind: text("replace_pattern: the text (UTF-8) that is looked for, across chunk borders too.", 1).optional(),
    replaceWith: text("replace_pattern: the text (UTF-8) that takes its place; may be empty.", 0).optional(),
    swapPos1: integer("swap_bytes: offset of one byte.", 0, MAX_OFFSET).optional(),
    swapPos2: integer("swap_bytes: offset of the other byte.", 0, MAX_OFFSET).optional(),
    minSize: size("Smaller packets are left alone.").optional(),
    maxSize: positiveSize("Bigger packets are left alone.").optional(),
    everyNPackets: integer("Acts on every n-th packet only. Default 1.", 1, Number.MAX_SAFE_INTEGER, { default: 1 }).optional(),
    dryRun: flag("Records what would be done and changes nothing. Default false.", { default: false }).optional(),
    maxBufferSize: positiveSize("Bytes that are held back at most while a pattern may go on in the next chunk.").optional(),
  },
  check,
);
