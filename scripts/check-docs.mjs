// Type-checks and runs the code of README.md, docs/ and examples/ against the built package. The projects in folders of examples/ have a
// test of their own, test/e2e/runners.test.ts.
//
// In Markdown every ts, js, mjs and cjs block is a program of its own. Words after the language change that:
//   no-run        type-checked, not run (it needs a server that we do not have, or it only shows a shape)
//   no-check      neither
//   file=PATH     the block stands word for word in that file, which runs as an example; the block itself does not
// A snippet may talk to http://localhost:3000: an HTTP server that answers everything with 200 and JSON stands there for it.
// A block that imports "vitest" or "faultcore/vitest" runs in vitest.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { basename, dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// Inside the package, so that "faultcore" resolves to the built package as it does for a user.
const folder = join(root, ".cache", "docs-snippets");
const RUN_LIMIT_MS = 60_000;
const EXTENSIONS = { ts: ".mts", js: ".mjs", mjs: ".mjs", cjs: ".cjs" };
const problems = [];

function list(path, extensions, recursive = true) {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  const names = readdirSync(full, { recursive }).filter((name) => extensions.includes(extname(name)));
  return names.toSorted().map((name) => join(path, name));
}

/** The code blocks of a Markdown file: where, in which language, with which words. */
function blocksOf(path) {
  const blocks = [];
  let open;
  for (const [index, line] of readFileSync(join(root, path), "utf8").split("\n").entries()) {
    const fence = /^\s*```(.*)$/.exec(line);
    if (open === undefined && fence) {
      const [language = "", ...words] = fence[1].trim().split(/\s+/);
      open = { where: `${path}:${index + 1}`, language, words, lines: [], indent: line.search(/\S/) };
    } else if (open !== undefined && fence) {
      blocks.push({ ...open, code: `${open.lines.join("\n")}\n` });
      open = undefined;
    } else if (open !== undefined) open.lines.push(line.slice(Math.min(open.indent, line.search(/\S|$/))));
  }
  if (open !== undefined) problems.push(`${open.where}: this code block does not end`);
  return blocks;
}

function programsOf(block) {
  const { where, language, words, code } = block;
  if (["sh", "bash", "console"].includes(language)) checkCommands(block);
  const extension = EXTENSIONS[language];
  if (extension === undefined || words.includes("no-check")) return [];
  const quoted = words.find((word) => word.startsWith("file="))?.slice("file=".length);
  if (quoted !== undefined) {
    if (!existsSync(join(root, quoted))) problems.push(`${where}: there is no ${quoted}`);
    else if (!readFileSync(join(root, quoted), "utf8").includes(code.trim())) problems.push(`${where}: this is not what ${quoted} says`);
    return [];
  }
  return [{ where, code, extension, run: !words.includes("no-run") }];
}

/** `npm run x` must exist. */
function checkCommands({ where, code }) {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const [, name] of code.matchAll(/npm run ([\w:-]+)/g)) {
    if (scripts[name] === undefined) problems.push(`${where}: there is no script "${name}"`);
  }
}

function exampleOf(path) {
  const extension = { ".ts": ".mts", ".mts": ".mts", ".mjs": ".mjs", ".js": ".mjs", ".cjs": ".cjs" }[extname(path)];
  return { where: path, code: readFileSync(join(root, path), "utf8"), extension, run: true };
}

function execute(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: RUN_LIMIT_MS,
      killSignal: "SIGKILL",
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve({ ok: false, output: error.message }));
    child.on("close", (status, signal) =>
      resolve({ ok: status === 0, output: signal === "SIGKILL" ? `${output}(killed after ${RUN_LIMIT_MS} ms)` : output }),
    );
  });
}

/** Compiles every program into `out/`; what tsc says about a file is told at the place where the code stands. */
async function compile(programs) {
  const config = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      noEmit: false,
      noEmitOnError: false,
      outDir: "out",
      rootDir: ".",
      paths: {},
      allowJs: true,
      checkJs: false,
      declaration: false,
      isolatedDeclarations: false,
      // Snippets show decorators, and what a reader writes need not please our own strictness.
      erasableSyntaxOnly: false,
      target: "es2022",
    },
    include: ["*"],
    exclude: ["out", "vitest.config.mjs"],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const { ok, output } = await execute([
    join(root, "node_modules", "typescript", "bin", "tsc"),
    "-p",
    join(folder, "tsconfig.json"),
    "--pretty",
    "false",
  ]);
  if (ok) return;
  for (const line of output.split("\n").filter(Boolean)) {
    const match = /([^/\s]+)\((\d+),\d+\): (.*)$/.exec(line);
    const program = programs.find(({ file }) => match && basename(file) === match[1]);
    problems.push(program ? `${program.where} (line ${match[2]} of it): ${match[3]}` : line.trim());
  }
}

const pages = ["README.md", "CONTRIBUTING.md"].filter((path) => existsSync(join(root, path)));
pages.push(...list("docs", [".md"]));
const programs = [
  ...pages.flatMap((path) => blocksOf(path).flatMap(programsOf)),
  ...list("examples", [".ts", ".mts", ".js", ".mjs", ".cjs"], false).map(exampleOf),
];

if (!existsSync(join(root, "dist", "index.js"))) throw new Error("there is no dist/: run npm run build first");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const server = createServer((_request, response) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.end('{"hello":"world"}\n');
});
await new Promise((resolve) => server.listen(0, "localhost", resolve));

let ran = 0;
try {
  for (const program of programs) {
    const usesVitest = /from "(faultcore\/)?vitest"/.test(program.code);
    const name = program.where.replaceAll(/\.(md|[mc]?[tj]s)\b/g, "").replaceAll(/[^\w]+/g, "-");
    program.file = join(folder, `${name}${usesVitest ? ".test" : ""}${program.extension}`);
    program.usesVitest = usesVitest;
    writeFileSync(program.file, program.code.replaceAll("localhost:3000", `localhost:${server.address().port}`));
  }
  const vitestConfig = "export default { test: { include: ['out/*.test.mjs'], server: { deps: { external: [/\\/dist\\//] } } } };\n";
  writeFileSync(join(folder, "vitest.config.mjs"), vitestConfig);
  if (programs.length > 0) await compile(programs);
  // What does not compile is not run.
  for (const { where, file, usesVitest } of problems.length > 0 ? [] : programs.filter(({ run }) => run)) {
    const built = join(folder, "out", relative(folder, file).replace(/\.mts$/, ".mjs"));
    const { ok, output } = await execute(
      usesVitest ? [join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--root", folder, built] : [built],
    );
    if (!ok) problems.push(`${where}: failed\n${output}`);
    ran++;
  }
} finally {
  server.closeAllConnections();
  server.close();
}

for (const problem of problems) console.error(problem);
console.log(`${pages.length} pages, ${programs.length} programs: ${ran} ran, ${problems.length} problem(s)`);
if (problems.length > 0) process.exitCode = 1;
