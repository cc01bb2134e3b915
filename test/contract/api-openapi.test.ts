/** The OpenAPI document: whole, of the same routes as the server, and as it was committed. */
import { readFileSync, writeFileSync } from 'node:fs'
import { equal, match, ok } from 'uvu/assert'
import { routes } from '../../src/api/contract.ts'
import { openApi, raw } from '../helpers/api-server.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('api openapi')
/** Rewritten with SHOAL_UPDATE=1; its diff is what changes for others. */
const COMMITTED = new URL('../fixtures/openapi.json', import.meta.url)

interface Document {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly schemas: Record<string, unknown> }
}

interface Operation {
  readonly summary?: string
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { readonly required?: boolean; readonly content: object }
  readonly responses: Record<string, { readonly description: string; readonly content?: object }>
}

function references(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(references)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner] : references(inner)
  )
}

test('the document is whole: every route, every parameter, every reference', async context => {
  const { socket } = await openApi(context)
  const answer = await raw(socket, { path: '/v1/openapi.json' })
  equal(answer.status, 200)
  const document = JSON.parse(answer.text) as Document
  equal([document.openapi, document.info.title], ['3.1.0', 'shoal'])
  const listed = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map(method => `${method} ${path}`)
  )
  const known = Object.values(routes).map(({ method, path }) => `${method} ${path}`)
  equal(listed.sort(), known.sort())
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const operation of Object.values(operations)) {
      ok(operation.summary, path)
      ok('default' in operation.responses, path)
      for (const response of Object.values(operation.responses)) ok(response.description)
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(found => found[1])
      const declared = (operation.parameters ?? []).filter(one => one.in === 'path')
      equal(declared.map(one => one.name).sort(), inPath.sort())
    }
  }
  for (const reference of references(document)) {
    match(reference, /^#\/components\/schemas\//)
    ok((reference.split('/').at(-1) ?? '') in document.components.schemas, reference)
  }
})

test('the spec of a workload is described field by field', async context => {
  const { socket } = await openApi(context)
  const document = JSON.parse((await raw(socket, { path: '/v1/openapi.json' })).text) as Document
  const spec = document.components.schemas['WorkloadSpec'] as {
    readonly properties: Record<string, unknown>
    readonly additionalProperties: boolean
  }
  equal(spec.additionalProperties, false)
  for (const field of ['project', 'replicas', 'volumes', 'partition']) ok(field in spec.properties)
})

test('the document is the committed one', async context => {
  const { socket } = await openApi(context)
  const { text } = await raw(socket, { path: '/v1/openapi.json' })
  const pretty = `${JSON.stringify(JSON.parse(text), undefined, 2)}\n`
  if (process.env['SHOAL_UPDATE'] === '1') writeFileSync(COMMITTED, pretty)
  equal(
    pretty,
    readFileSync(COMMITTED, 'utf8'),
    'the API changed: run the test with SHOAL_UPDATE=1 and review the diff'
  )
})

test.run()
