import { equal } from 'uvu/assert'
import { formatError, ShoalError } from '../../src/errors.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('errors')

test('one line says code, what, where and what to do', () => {
  const error = new ShoalError('NOT_FOUND', 'no workload web', {
    where: 'project demo',
    hint: 'see shoal ps'
  })
  equal(formatError(error), 'error[NOT_FOUND]: no workload web (project demo); see shoal ps')
  equal(error.exitCode, 7)
  equal(error.httpStatus, 404)
})

test.run()
