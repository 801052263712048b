import { defineConfig } from "vitest/config";
import type { TestProjectInlineConfiguration, ViteUserConfig } from "vitest/config";

// What a user gets is the built package: outside test/unit, `faultcore` is dist/, which Node loads itself
// (vitest cannot load a `.ts` worker on Node 20).
const packaged = { server: { deps: { external: [/\/dist\//] } } };

// Network time is measured in these: one file at a time.
const oneAtATime = { fileParallelism: false, maxWorkers: 1 };

/**
 * Files that wait more than they compute, and measure no network time closely: one's waits are the other's work, so there are more of them
 * at once than there are processors.
 */
function waiting(name: string, options: NonNullable<ViteUserConfig["test"]>): TestProjectInlineConfiguration {
  return {
    extends: true,
    test: { name, include: [`test/${name}/**/*.test.ts`], sequence: { groupOrder: 2 }, maxWorkers: 4, ...options },
  };
}

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
      waiting("integration", { testTimeout: 60_000, hookTimeout: 60_000, ...packaged }),
      waiting("clients", { testTimeout: 20_000, hookTimeout: 60_000, ...packaged }),
      waiting("parity", { testTimeout: 240_000, hookTimeout: 60_000, ...packaged }),
      waiting("e2e", { testTimeout: 30_000, hookTimeout: 60_000, ...packaged }),
      waiting("package", { testTimeout: 120_000, hookTimeout: 240_000 }),
    ],
  },
});

export default config;
