import { suite } from '../../helpers/suite.ts'
import { noticeAll } from './notice.ts'
import { OF_BARS } from './of-bars.ts'
import { OF_SLOTS } from './of-slots.ts'

const test = suite('negative controls of slots and bars', { timeoutMs: 120_000 })

noticeAll(test, [...OF_SLOTS, ...OF_BARS])

test.run()
