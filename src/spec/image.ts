/** Image references, by the rule of the distribution project, in linear time. */
import { broken, type Parsed, parsed } from './units.ts'

export const IMAGE_RULE =
  'an image is [host[:port]/]name[:tag][@sha256:digest], the name in lower case'
export const IMAGE_LENGTH_MAX = 512
const HOST_NAME = /^[a-zA-Z0-9][a-zA-Z0-9-]{0,62}(?:\.[a-zA-Z0-9-]{1,63}){0,10}(?::\d{1,5})?$/
const HOST_ADDRESS = /^\[[0-9a-fA-F:]{2,45}\](?::\d{1,5})?$/
const COMPONENT = /^[a-z0-9]+(?:(?:\.|__?|-{1,16})[a-z0-9]+)*$/
const TAG = /^\w[\w.-]{0,127}$/
const DIGEST = /^sha256:[0-9a-f]{64}$/

/** Checks a reference and gives it back as it was; the reason names the part that is wrong. */
export function parseImage(text: string): Parsed<string> {
  if (text === '') return broken(`the image is empty; ${IMAGE_RULE}`)
  if (text.length > IMAGE_LENGTH_MAX)
    return broken(`the image is ${text.length} characters long, at most ${IMAGE_LENGTH_MAX}`)
  const [named = '', ...digests] = text.split('@')
  if (digests.length > 1 || (digests.length === 1 && !DIGEST.test(digests[0] ?? '')))
    return broken(`the digest is not sha256: and 64 hex digits; ${IMAGE_RULE}`)
  const slash = named.lastIndexOf('/')
  const colon = named.indexOf(':', slash + 1)
  const name = colon === -1 ? named : named.slice(0, colon)
  if (colon !== -1 && !TAG.test(named.slice(colon + 1)))
    return broken(`the tag is not valid; ${IMAGE_RULE}`)
  const components = name.split('/')
  const first = components[0] ?? ''
  const hasHost =
    components.length > 1 && (first === 'localhost' || /[.:]/.test(first) || /[A-Z]/.test(first))
  if (hasHost) {
    if (!HOST_NAME.test(first) && !HOST_ADDRESS.test(first))
      return broken(`the host is not valid; ${IMAGE_RULE}`)
    components.shift()
  }
  if (!components.every(component => component.length <= 255 && COMPONENT.test(component)))
    return broken(`the name is not valid; ${IMAGE_RULE}`)
  return parsed(text)
}
