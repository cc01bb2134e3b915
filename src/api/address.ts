/** The shape of the multiaddrs that people type (B44). libp2p checks the rest when it dials. */
import { ShoalError } from '../errors.ts'

export const DEFAULT_PORT = 7970

function bad(where: string, message: string, hint: string): ShoalError {
  return new ShoalError('USAGE', message, { where, hint })
}

/** Shape only, so that a typo is named before a daemon starts; libp2p checks the rest. B44. */
export function checkAddress(address: string, flag: 'listen' | 'join'): void {
  const hint = `for example /ip4/10.0.0.5/tcp/${DEFAULT_PORT}`
  const parts = address.split('/')
  if (parts[0] !== '' || parts.length < 5)
    throw bad(`--${flag}`, `"${address}" is not a multiaddr with host and port`, hint)
  const [, host = '', name = '', transport = '', port = ''] = parts
  if (!['ip4', 'ip6', 'dns', 'dns4', 'dns6'].includes(host) || name === '')
    throw bad(`--${flag}`, `"${address}" does not begin with /ip4, /ip6 or /dns`, hint)
  if (transport === 'udp') throw bad(`--${flag}`, `"${address}" is udp; shoal speaks tcp`, hint)
  if (transport !== 'tcp') throw bad(`--${flag}`, `"${address}" has no /tcp/<port>`, hint)
  const number = /^\d{1,5}$/.test(port) ? Number(port) : Number.NaN
  if (!(number <= 65_535) || (flag === 'join' && number === 0))
    throw bad(`--${flag}`, `"${address}" has no usable port: "${port}"`, 'a port is 1 to 65535')
  if (host === 'ip4' && !isIp4(name))
    throw bad(`--${flag}`, `"${name}" is not an IPv4 address`, hint)
  if (flag === 'join' && (name === '0.0.0.0' || name === '::'))
    throw bad(
      `--${flag}`,
      `${name} is not an address of a peer`,
      'give the address of the other host'
    )
  const rest = parts.slice(5)
  if (rest.length === 0) return
  if (
    rest[0] !== 'p2p' ||
    rest.length !== 2 ||
    !/^[1-9A-HJ-NP-Za-km-z]{40,64}$/.test(rest[1] ?? '')
  )
    throw bad(`--${flag}`, `"/${rest.join('/')}" is not /p2p/<peer id>`, 'see shoal nodes -o json')
}

function isIp4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every(part => /^\d{1,3}$/.test(part) && Number(part) <= 255)
}
