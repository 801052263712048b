// faultcore/jest: loads the ES module through a require() of Node's own, as index.cjs does; Jest's would refuse it. What belongs to
// the test file, its global object and its `expect`, is handed in. One module of this name is kept for each test file by Jest.
const nodeModule = require("node:vm").runInThisContext("process.getBuiltinModule('node:module')");
const { followTests } = nodeModule.createRequire(__filename)("./jest-circus.js");
const { expect } = require("@jest/globals");
exports.faults = followTests(globalThis, expect);
