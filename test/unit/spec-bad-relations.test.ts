// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of Compose variables
/** Rows B29 to B37 of `promises.md` 5, each with its exact line. */
import { expectLines, image } from '../fixtures/spec/reader.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec bad relations')

test('B29: env files outside the project, missing, or no files', async () => {
  await expectLines([
    [
      image('env_file: ../secret.env'),
      [
        'error[REFUSED]: services.web.env_file: policy: the file "../secret.env" is not below ' +
          'the project (compose.yaml:4:15); move it below /app'
      ]
    ],
    [
      image('env_file: [/etc/passwd]'),
      [
        'error[REFUSED]: services.web.env_file[0]: policy: the file "/etc/passwd" is not below ' +
          'the project (compose.yaml:4:16); move it below /app'
      ]
    ],
    [
      image('env_file: a.env'),
      [
        'error[INVALID]: services.web.env_file: the file "a.env" does not exist ' +
          '(compose.yaml:4:15); create it, or say required: false'
      ]
    ],
    [image('env_file: [{path: a.env, required: false}]'), []],
    [
      image('env_file: d'),
      ['error[INVALID]: services.web.env_file: the file "d": it is a FIFO (compose.yaml:4:15)'],
      { files: { d: new Error('it is a FIFO') } }
    ],
    [
      image('env_file: a.env'),
      [
        'error[INVALID]: services.web.env_file: a.env:2:1: not NAME=value: "=x" (compose.yaml:4:15)'
      ],
      { files: { 'a.env': 'A=1\n=x\n' } }
    ],
    [
      image(),
      ['error[INVALID]: .env:1:3: the single quote of A is not closed (compose.yaml)'],
      { files: { '.env': "A='x" } }
    ]
  ])
})

test('B30: depends_on: unknown, self, cycles', async () => {
  const ignored = (name: string, at: string): string =>
    `warning: services.${name}.depends_on: ignored: no order is kept, services start together ` +
    `(compose.yaml:${at}); let the program retry its connections`
  await expectLines([
    [
      image('depends_on: [db]'),
      [
        ignored('web', '4:5'),
        'error[INVALID]: services.web.depends_on[0]: no service "db" in this file ' +
          '(compose.yaml:4:18); remove it, or add the service'
      ]
    ],
    [
      image('depends_on: {db: {condition: service_started, required: false}}'),
      [ignored('web', '4:5')]
    ],
    [
      image('depends_on: [web]'),
      [
        ignored('web', '4:5'),
        'error[INVALID]: services.web.depends_on[0]: "web" depends on itself ' +
          '(compose.yaml:4:18); remove it'
      ]
    ],
    [
      'services:\n  a: {image: a, depends_on: [b]}\n  b: {image: a, depends_on: [c]}\n' +
        '  c: {image: a, depends_on: [b]}\n',
      [
        ignored('a', '2:17'),
        ignored('b', '3:17'),
        'error[INVALID]: services.b.depends_on: a cycle: b -> c -> b (compose.yaml:3:29); ' +
          'remove one of these',
        ignored('c', '4:17')
      ]
    ],
    [
      image('depends_on: {db: {condition: ready}}'),
      [
        ignored('web', '4:5'),
        'error[INVALID]: services.web.depends_on.db: no service "db" in this file ' +
          '(compose.yaml:4:22); remove it, or add the service',
        'error[INVALID]: services.web.depends_on.db.condition: "ready" is not one of the ' +
          'choices (compose.yaml:4:34); use service_started, service_healthy, ' +
          'service_completed_successfully'
      ]
    ]
  ])
})

test('B31: health checks', async () => {
  const rule = 'a duration like 1m30s or 500ms, of h, m, s, ms and us, not negative'
  const check = (rest: string): string => image(`healthcheck: {${rest}}`)
  await expectLines([
    [
      check('interval: 5s'),
      [
        'error[INVALID]: services.web.healthcheck: the health check has no test ' +
          '(compose.yaml:4:18); add test: ["CMD", "program", "argument"]'
      ]
    ],
    [
      check('test: a, interval: 0s'),
      [
        'error[INVALID]: services.web.healthcheck.interval: "0s" is too short: at least 1 ms ' +
          '(compose.yaml:4:38)'
      ]
    ],
    [
      check('test: a, interval: -5s'),
      [
        `error[INVALID]: services.web.healthcheck.interval: "-5s" is not valid: ${rule} ` +
          '(compose.yaml:4:38)'
      ]
    ],
    [
      check('test: a, timeout: 1 week'),
      [
        `error[INVALID]: services.web.healthcheck.timeout: "1 week" is not valid: ${rule} ` +
          '(compose.yaml:4:37)'
      ]
    ],
    [
      check('test: a, interval: 10'),
      [
        `error[INVALID]: services.web.healthcheck.interval: "10" is not valid: ${rule} ` +
          '(compose.yaml:4:38)'
      ]
    ],
    [
      check('test: [curl, x]'),
      [
        'error[INVALID]: services.web.healthcheck.test: the test does not say how it is run ' +
          '(compose.yaml:4:25); begin the list with CMD, CMD-SHELL or NONE'
      ]
    ],
    [
      check('test: a, retries: 0'),
      [
        'error[INVALID]: services.web.healthcheck.retries: "0" is not valid: a whole number ' +
          'from 1 to 1000 (compose.yaml:4:37)'
      ]
    ]
  ])
})

test('B32: commands', async () => {
  await expectLines([
    [
      image('command: []'),
      [
        'error[INVALID]: services.web.command: the command is empty (compose.yaml:4:14); ' +
          "remove the key to use the image's own"
      ]
    ],
    [
      image('command: echo "x'),
      [
        'error[INVALID]: services.web.command: a double quote is not closed ' +
          '(compose.yaml:4:19); close it, or use a list'
      ]
    ],
    [
      image('command: [1]'),
      [
        'error[INVALID]: services.web.command[0]: expected text, got a ' +
          'number (compose.yaml:4:15); quote it'
      ]
    ],
    [
      image('command: a; b'),
      [
        'warning: services.web.command: no shell runs this: ";" goes to the program as text ' +
          '(compose.yaml:4:14); use ["/bin/sh", "-c", "..."] to run a shell'
      ]
    ]
  ])
})

test(
  'B33: a condition may name labels that no node has; ' + 'other attributes are refused',
  async () => {
    const place = (text: string): string => image(`deploy: {placement: {constraints: ["${text}"]}}`)
    const at = 'services.web.deploy.placement.constraints[0]'
    await expectLines([
      [place('node.labels.none == x'), []],
      [
        place('node.role == manager'),
        [
          `error[UNSUPPORTED]: ${at}: not supported: node.role, there are no managers here, ` +
            'every node is equal (compose.yaml:4:40); use node.labels.<key>, set by ' +
            'shoal up --label'
        ]
      ],
      [
        place('node.nmae == x'),
        [
          `error[INVALID]: ${at}: "node.nmae" is not an attribute of nodes (compose.yaml:4:40); ` +
            'did you mean node.name?'
        ]
      ],
      [
        place('disk'),
        [
          `error[INVALID]: ${at}: "disk" is not a condition (compose.yaml:4:40); a condition is ` +
            'ATTRIBUTE == VALUE or ATTRIBUTE != VALUE'
        ]
      ]
    ])
  }
)

test('B36, B37: policies list their choices; what comes later is refused by name', async () => {
  const shoal = (rest: string): string => image(`x-shoal: {${rest}}`)
  await expectLines([
    [
      shoal('reconcile: newest'),
      [
        'error[INVALID]: services.web.x-shoal.reconcile: "newest" is not one of the choices ' +
          '(compose.yaml:4:26); use keep-running, ring-owner, oldest-claim, newest-claim'
      ]
    ],
    [
      shoal('partition: all'),
      [
        'error[INVALID]: services.web.x-shoal.partition: "all" is not one of the choices ' +
          '(compose.yaml:4:26); use any-partition, manual'
      ]
    ],
    [
      shoal('partition: majority-lease'),
      [
        'error[UNSUPPORTED]: services.web.x-shoal.partition: not supported: majority-lease, it ' +
          'needs voters, which come later (compose.yaml:4:26); use any-partition or manual'
      ]
    ],
    [
      shoal('schedule: "* * * * *"'),
      [
        'error[UNSUPPORTED]: services.web.x-shoal.schedule: not supported: ' +
          'cron comes later (compose.yaml:4:15)'
      ]
    ],
    [
      shoal('kind: job'),
      [
        'error[UNSUPPORTED]: services.web.x-shoal.kind: not supported: kinds other than service ' +
          'come later (compose.yaml:4:15)'
      ]
    ],
    [
      shoal('address: 10.0.0.9'),
      [
        'error[UNSUPPORTED]: services.web.x-shoal.address: not supported: floating addresses ' +
          'come later (compose.yaml:4:15)'
      ]
    ],
    [
      image('restart: sometimes'),
      [
        'error[INVALID]: services.web.restart: "sometimes" is not a restart policy ' +
          '(compose.yaml:4:14); use "no", always, unless-stopped or on-failure'
      ]
    ]
  ])
})

test.run()
