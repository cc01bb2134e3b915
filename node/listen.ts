/** Opening the ports for peers, with a line for people when they cannot be had. */
import { ListenError, type MeshHost } from '../gossip/libp2p/host.ts'
import { ShoalError } from '../src/errors.ts'

/**
 * Gives the addresses that others are told. Throws `USAGE` for a taken port or an address that is
 * not of this host.
 */
export async function listenForPeers(host: MeshHost): Promise<readonly string[]> {
  try {
    await host.start()
    return host.addresses()
  } catch (error) {
    if (!(error instanceof ListenError)) throw error
    throw new ShoalError('USAGE', error.message, {
      where: '--listen',
      hint: 'the port is taken, or the address is not of this host; choose another one',
      cause: error
    })
  }
}
