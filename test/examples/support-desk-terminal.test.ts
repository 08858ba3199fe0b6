// The desk as its user runs it: a process with pipes.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const main = fileURLToPath(new URL('../../dist-examples/support-desk/main.js', import.meta.url))
const environment = { ...process.env, NO_UPDATE_NOTIFIER: '1' }

/** The command of the README, with lines piped in. */
const npmStart = (input: string, ...args: string[]): { stdout: string; stderr: string; status: number | null } =>
  spawnSync('npm', ['start', '--silent', ...(args.length === 0 ? [] : ['--', ...args])], { cwd: root, input, encoding: 'utf8', env: environment })

interface Run {
  readonly child: ChildProcess
  readonly out: () => string
  readonly err: () => string
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}
function run(...args: string[]): Run {
  const child = spawn(process.execPath, [main, ...args], { stdio: 'pipe' })
  let [out, err] = ['', '']
  child.stdout.on('data', (data) => (out += String(data)))
  child.stderr.on('data', (data) => (err += String(data)))
  return { child, out: () => out, err: () => err, ended: new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal }))) }
}
/** Resolves once what the process wrote so far passes. */
const until = (stream: NodeJS.ReadableStream | null, passes: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => {
      if (!passes()) return
      stream?.off('data', look)
      resolve()
    }
    stream?.on('data', look)
    look()
  })

// A process loads its models anew, which takes as long as the machine is busy with other things.
const patient = { timeout: 120_000 }

describe('npm start --silent', patient, () => {
  test('answers a question with its source, and nothing else on stdout', () => {
    const { stdout, stderr, status } = npmStart('How long do I have to return a parcel?\n')
    expect(stdout).toBe('You can return a parcel within 30 days of delivery. [1]\n[1] Returns — pages/returns.md\n')
    expect(stderr).toContain('loading embedded:encoder (12 MB) …')
    expect(status).toBe(0)
  })

  test('answers in Chinese', () => {
    const { stdout, status } = npmStart('我购买的商品在哪里？\n')
    expect(stdout).toBe('您购买的商品在哪里，可以在“我的订单”页面查看。 [1]\n[1] 订单查询 — pages/zhongwen.md\n')
    expect(status).toBe(0)
  })

  test('says honestly when the pages do not tell', () => {
    const { stdout, status } = npmStart('What is the capital of Mars?\n')
    expect(stdout).toBe('I am sorry, I could not find that in our pages.\n')
    expect(status).toBe(0)
  })

  test('-- --trace shows on stderr what each actor did', () => {
    const { stdout, stderr, status } = npmStart('How long do I have to return a parcel?\n', '--trace')
    expect(stdout).toContain('[1] Returns')
    for (const line of [/^#\d+ desk → dialogue\/terminal: say sent$/m, /^#\d+ dialogue\/terminal → nlu: parse sent because of #\d+$/m, /^#\d+ dialogue\/terminal → retriever: search handled because of #\d+$/m, /^#\d+ dialogue\/terminal → generator: answer sent because of #\d+$/m]) {
      expect(stderr).toMatch(line)
    }
    expect(status).toBe(0)
  })
})

describe('a pipe', patient, () => {
  test('with several lines is answered in order, empty ones and the missing last line end aside', async () => {
    const { child, out, ended } = run()
    child.stdin?.end('hello\n\n  \nHow long is the warranty?\r\nWhat is the capital of Mars?')
    expect(await ended).toEqual({ code: 0, signal: null })
    expect(out().split('\n')).toEqual([
      'Hello! What would you like to know about your order?',
      'All products have a warranty of two years from the date of purchase. [1]',
      '[1] Warranty — pages/warranty.md',
      'I am sorry, I could not find that in our pages.',
      '',
    ])
  })

  test('without a line ends well', async () => {
    const { child, out, ended } = run()
    child.stdin?.end('')
    expect(await ended).toEqual({ code: 0, signal: null })
    expect(out()).toBe('')
  })

  test('that is closed early, as by head -1, ends well', () => {
    const lines = 'How long do I have to return a parcel?\\n'.repeat(20)
    const { stdout, stderr } = spawnSync('bash', ['-c', `printf '${lines}' | "${process.execPath}" "${main}" | head -1; echo "\${PIPESTATUS[1]}"`], { encoding: 'utf8' })
    expect(stdout).toBe('You can return a parcel within 30 days of delivery. [1]\n0\n')
    expect(stderr).not.toMatch(/EPIPE|Error/)
  })
})

describe('Ctrl-C', patient, () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s during generation ends cleanly', async (signal) => {
    const { child, err, ended } = run('--trace')
    child.stdin?.write('How long do I have to return a parcel?\n'.repeat(50))
    await until(child.stderr, () => /generator: answer handled/.test(err()))
    child.kill(signal)
    expect(await ended).toEqual({ code: 0, signal: null })
    expect(err()).not.toMatch(/terminate called|Error/)
  })

  test('while models load ends cleanly', async () => {
    const { child, err, ended } = run()
    await until(child.stderr, () => err().includes('loading'))
    child.kill('SIGINT')
    expect(await ended).toEqual({ code: 0, signal: null })
    expect(err()).not.toMatch(/terminate called|Error/)
  })

  test('while it waits for a question ends cleanly', async () => {
    const { child, out, ended } = run()
    child.stdin?.write('hello\n')
    await until(child.stdout, () => out().includes('Hello!'))
    child.kill('SIGINT')
    expect(await ended).toEqual({ code: 0, signal: null })
  })
})
