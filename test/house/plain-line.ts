import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/** Closes a run with one plain line, `N passed, N failed, N skipped`, and fails a run in which nothing was tested. */
export default class PlainLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], strays: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state))
    // A file that does not load, or a hook that fails, leaves its tests skipped.
    const broken = modules.flatMap((module) => [module, ...module.children.allSuites()]).filter((suite) => suite.errors().length > 0).length
    const count = (state: string): number => tests.filter((each) => each === state).length
    const passed = count('passed')
    const failed = count('failed') + broken + strays.length
    process.stdout.write(`${passed} passed, ${failed} failed, ${tests.length - passed - count('failed')} skipped\n`)
    if (passed + failed === 0) process.exitCode = 1
  }
}
