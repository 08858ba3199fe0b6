import { defineConfig } from 'vitest/config'

// Tests import `troupe`, `troupe/models`, … as a user does: the built files in dist, run by Node itself, so that worker
// threads and the tests run the same code. `../../src/…` is for pure pieces that the package does not export.
const native = { deps: { external: [/\/dist\//] } }

export default defineConfig({
  test: {
    globalSetup: './test/house/fresh-build.ts',
    reporters: ['default', './test/house/plain-line.ts'],
    projects: [
      {
        test: {
          name: 'troupe',
          include: ['test/**/*.test.ts'],
          exclude: ['test/package/**'],
          pool: 'forks',
          testTimeout: 20_000,
          hookTimeout: 20_000,
          server: native,
        },
      },
      {
        // Packs the package and installs it elsewhere: slow, so apart. `npx vitest run --project troupe` leaves it out.
        test: { name: 'package', include: ['test/package/**/*.test.ts'], pool: 'forks', testTimeout: 300_000, hookTimeout: 300_000 },
      },
    ],
  },
})
