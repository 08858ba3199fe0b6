// Compiles src to dist and copies what tsc does not: the embedded model weights.
// `--quiet` builds only when a source is newer than the last build, and speaks on stderr alone.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('.', import.meta.url))
const stamp = join(root, 'dist/.built')
const quiet = process.argv.includes('--quiet')

const newest = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((latest, entry) => Math.max(latest, statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs), 0)

const fresh = existsSync(stamp) && statSync(stamp).mtimeMs > newest(join(root, 'src'))
if (!quiet || !fresh) {
  if (quiet) process.stderr.write('building troupe …\n')
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  const run = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], { stdio: ['ignore', 'pipe', 'inherit'] })
  process.stderr.write(run.stdout)
  if (run.status !== 0) process.exit(run.status ?? 1)
  cpSync(join(root, 'src/models/embedded'), join(root, 'dist/models/embedded'), { recursive: true })
  writeFileSync(stamp, '')
}
