import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Brings dist up to date before any test runs, so that no test can pass on yesterday's code. A type error does not
 * stop the tests, since `npm test` has checked the types before; sources that give no dist at all do.
 */
export default function freshBuild(): void {
  const build = spawnSync(process.execPath, [join(root, 'build.mjs'), '--quiet'], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (build.status === 0) return
  if (!existsSync(join(root, 'dist/runtime/index.js'))) throw new Error('there is no dist to test: `node build.mjs` failed, see above')
  process.stderr.write('the build has errors, see above; the tests run on what it could make\n')
}
