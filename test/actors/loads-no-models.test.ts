import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

test('importing troupe/actors loads no model library', () => {
  // A loader that refuses to resolve what must not be asked for.
  const loader = `export const resolve = (name, context, next) => { if (/onnxruntime|transformers|piscina/.test(name)) throw new Error('loads ' + name); return next(name, context) }`
  const program = `import { register } from 'node:module'; register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(loader)})); const { nlu } = await import('troupe/actors'); nlu(); console.log('light')`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  expect(stderr).not.toContain('loads ')
  expect(stdout).toBe('light\n')
})
