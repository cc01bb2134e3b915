/** How long the commands take that people type most, beside a Node that does nothing. */
import { spawnSync } from 'node:child_process'
import { Cluster } from '../../test/helpers/cluster.ts'
import { shoalProgram } from '../../test/helpers/cluster-cli.ts'
import { monotonicMs } from '../../test/helpers/testbed-run.ts'
import { type Bench, median } from './report.ts'

const ROUNDS = 30
const OVER_BARE_MS_MAX = 60

function timed(argv: readonly string[], env: NodeJS.ProcessEnv): number {
  const startMs = monotonicMs()
  const { status, stderr } = spawnSync(argv[0] ?? '', argv.slice(1), { env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${argv.join(' ')}: exit ${status} ${stderr}`)
  return monotonicMs() - startMs
}

export const startup: Bench = {
  about: 'shoal --version and shoal ps beside node -e 0',
  run: async ({ count = ROUNDS }) => {
    const cluster = await Cluster.make({ daemons: 1 })
    try {
      const daemon = cluster.daemon(1)
      await daemon.up()
      const env = { ...process.env, SHOAL_SOCKET: daemon.client.socket }
      const commands = {
        'node -e 0': [process.execPath, '-e', '0'],
        'shoal --version': [...shoalProgram(), '--version'],
        'shoal ps': [...shoalProgram(), 'ps']
      }
      const times: Record<string, number[]> = {}
      // In turns, so that a busy moment of the machine meets all of them.
      for (let round = 0; round <= count; round++)
        for (const [name, argv] of Object.entries(commands)) {
          const tookMs = timed(argv, env)
          if (round === 0) continue
          times[name] ??= []
          times[name].push(tookMs)
        }
      const bare = median(times['node -e 0'] ?? [])
      return Object.entries(times).map(([name, samples]) => ({
        name,
        unit: 'ms',
        samples,
        ...(name === 'node -e 0' ? {} : { bar: { medianMax: Math.round(bare + OVER_BARE_MS_MAX) } })
      }))
    } finally {
      await cluster.close()
    }
  }
}
