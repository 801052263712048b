import { defineConfig, type ViteUserConfig } from "vitest/config";

// Nothing has to be set up for faultcore. The name only tells the output of this project from others.
const config: ViteUserConfig = defineConfig({ test: { name: "orders", include: ["*.test.ts"] } });

export default config;
