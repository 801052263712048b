// require("faultcore"): loads the ES module through a require() of Node's own, made in the main context,
// because Jest's replacement for require() refuses ES modules.
const nodeModule = require("node:vm").runInThisContext("process.getBuiltinModule('node:module')");
module.exports = nodeModule.createRequire(__filename)("./index.js");
