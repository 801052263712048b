import { defineConfig, type ViteUserConfig } from "vitest/config";

// What a user gets is the built package: outside test/unit, `faultcore` is dist/, which Node loads itself
// (vitest cannot load a `.ts` worker on Node 20).
const packaged = { server: { deps: { external: [/\/dist\//] } } };

// Processes, servers and delays are waited for in these: more of them than there are processors.
const WAITING_WORKERS = 4;

// Network time is measured in these: one file at a time.
const oneAtATime = { fileParallelism: false, maxWorkers: 1 };

const config: ViteUserConfig = defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    teardownTimeout: 10_000,
    setupFiles: ["./test/helpers/fail-on-warning.ts", "./test/helpers/property-seed.ts"],
    projects: [
      {
        extends: true,
        // One process for many files: loading the tools again for each of them took longer than the tests.
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 20_000, sequence: { groupOrder: 0 }, isolate: false },
      },
      {
        extends: true,
        test: {
          name: "timing",
          include: ["test/timing/**/*.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
          ...oneAtATime,
          ...packaged,
        },
      },
      // What follows waits more than it computes, and measures no network time closely: one file's waits are the other's work.
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
          maxWorkers: WAITING_WORKERS,
          ...packaged,
        },
      },
      {
        extends: true,
        test: {
          name: "clients",
          include: ["test/clients/**/*.test.ts"],
          testTimeout: 20_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
          maxWorkers: WAITING_WORKERS,
          ...packaged,
        },
      },
      {
        extends: true,
        test: {
          name: "parity",
          include: ["test/parity/**/*.test.ts"],
          testTimeout: 240_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
          maxWorkers: WAITING_WORKERS,
          ...packaged,
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
          maxWorkers: WAITING_WORKERS,
          ...packaged,
        },
      },
      {
        extends: true,
        test: {
          name: "package",
          include: ["test/package/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 240_000,
          sequence: { groupOrder: 2 },
          maxWorkers: WAITING_WORKERS,
        },
      },
    ],
  },
});

export default config;
