/** `FC_SEED=… npm run test:unit -- <file>` runs property tests again with the seed that a failure printed (and `FC_PATH`, if it printed one). */
import fc from "fast-check";

const seed = process.env["FC_SEED"];
const path = process.env["FC_PATH"];
if (seed !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed), ...(path !== undefined && { path }) });
