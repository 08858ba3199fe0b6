import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, protocol, request, TroupeError } from 'troupe'
import { lmdb } from 'troupe/lmdb'

/** A disk of its own of a few megabytes, where this machine lets us have one. */
function smallDisk(): string | undefined {
  const path = mkdtempSync(join(tmpdir(), 'troupe-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', path], { stdio: 'ignore' })
    return path
  } catch {
    rmSync(path, { recursive: true })
    return undefined
  }
}
const disk = smallDisk()

const Ledger = protocol({ enter: request(z.object({ id: z.number(), text: z.string() }), z.number()), ids: request(null, z.array(z.number())) })
const ledger = actor(Ledger, {
  durable: true,
  state: () => ({ ids: [] as number[] }),
  on: {
    enter: ({ id }, me) => me.state.ids.push(id),
    ids: (_, me) => me.state.ids,
  },
})

test.skipIf(disk === undefined)('on a full disk senders get an error, nothing accepted is lost, and work goes on when there is room', { timeout: 60_000 }, async () => {
  const path = disk as string
  try {
    const troupe = await createTroupe({ store: lmdb(join(path, 'store')) })
    const ref = troupe.spawn('ledger', ledger)
    const entered: number[] = []
    const enter = async (id: number): Promise<unknown> => {
      await ref.ask({ type: 'enter', id, text: 'x'.repeat(20_000) }, { timeout: 'none' })
      entered.push(id)
      return undefined
    }
    await enter(0)
    writeFileSync(join(path, 'filler'), Buffer.alloc(4 * 1024 * 1024))
    let refused: unknown
    const waiting: Promise<unknown>[] = []
    for (let id = 1; refused === undefined && id < 500; id++) {
      const outcome = enter(id).catch((error: unknown) => (refused ??= error))
      // One that was accepted before the disk was full may wait for room to commit.
      waiting.push(outcome)
      await Promise.race([outcome, new Promise((resolve) => setImmediate(resolve))])
    }
    expect(refused).toBeInstanceOf(TroupeError)
    expect(refused).toMatchObject({ code: 'Overloaded', details: { store: true } })
    rmSync(join(path, 'filler'))
    await Promise.all(waiting)
    await enter(1_000)
    await troupe.stop()
    const again = await createTroupe({ store: lmdb(join(path, 'store')) })
    const ids = await again.spawn('ledger', ledger).ask({ type: 'ids' })
    expect(entered.filter((id) => !ids.includes(id))).toEqual([])
    expect(ids).toHaveLength(new Set(ids).size)
    await again.stop()
  } finally {
    execFileSync('umount', [path])
    rmSync(path, { recursive: true, force: true })
  }
})
