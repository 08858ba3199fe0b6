// Adds to package-lock.json the optional packages for other platforms that the registry at hand did not serve, since
// `npm ci` refuses a lock file that leaves one out. They have no checksum, as nobody here has seen them; on the platforms
// that need them npm takes the exact version. Run by `npm run lock`, after a change to the dependencies.
import { readFileSync, writeFileSync } from 'node:fs'

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8'))

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['arm64', 'arm', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64']

/** What npm would know from the registry, read from a name such as `@oxlint/binding-linux-arm64-musl`. */
function platformOf(name) {
  const words = name.split(/[/-]/)
  const os = SYSTEMS.filter((each) => words.includes(each))
  const cpu = PROCESSORS.filter((each) => words.includes(each))
  if (os.length === 0 || cpu.length === 0) throw new Error(`${name} is missing from the lock file, and its name tells no platform`)
  const libc = words.some((word) => word.startsWith('musl')) ? ['musl'] : words.some((word) => word.startsWith('gnu')) ? ['glibc'] : []
  return { cpu, ...(libc.length > 0 && { libc }), os }
}

for (const [folder, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (lock.packages[`${folder}/node_modules/${name}`] ?? lock.packages[`node_modules/${name}`]) continue
    if (!/^\d/.test(version)) throw new Error(`${name}@${version} is missing from the lock file, and that is no exact version`)
    lock.packages[`node_modules/${name}`] = { version, ...(entry.dev && { dev: true }), optional: true, ...platformOf(name) }
    process.stderr.write(`added ${name}@${version}\n`)
  }
}

const names = Object.keys(lock.packages).toSorted((one, other) => one.localeCompare(other, 'en'))
lock.packages = Object.fromEntries(names.map((name) => [name, lock.packages[name]]))
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
