// Verifies a report file against what you know of the consortium, trusting neither the file nor who gave it to you.
//
//   npm install && npm run build
//   node dist/verify-report.js report.json --group-key 0x... --chain-id 1 --contract 0x...
//
// Node 22.18 and later run this file itself, without a build.
//
// Exit status 0: the group key signed this very report, about these very instruments, for this chain and contract.
// Exit status 1: it did not, or the file cannot be read; one line on stderr says why. A report that has expired still
// verifies; the output says so, and whoever acts on it must look.
import { parseArgs } from 'node:util'
import { type Address, isAddress } from 'viem'
import { type ReportFile, ReportError, loadReportFile } from './report-file.ts'
import { type Expected, type Row, verify } from './verify.ts'
import type { Instrument } from './words.ts'

const USAGE = 'usage: verify-report <report.json> --group-key <address> --chain-id <number> --contract <address>'
function show(file: ReportFile, rows: readonly Row[], now: number): string {
  const { report } = file
  const validUntil = Number(report.validUntil)
  const header = [
    `round ${report.round}, epoch ${report.epoch}, consortium ${report.consortium}`,
    `observed ${time(Number(report.observedAt))}`,
    `valid until ${time(validUntil)}${now > validUntil ? ' - EXPIRED, do not act on it' : ''}`,
    `digest ${file.digest}, signed by the group key`,
  ]
  const titles = ['instrument', 'forward', 'iv', 'delta', 'hedge', 'gamma', 'vega', 'premium', 'maint.', 'initial']
  const lines = rows.map(({ instrument, forward, param }) => [
    option(instrument),
    decimal(forward, 8),
    decimal(param.iv, 6),
    decimal(param.bsDelta, 6),
    decimal(param.hedgeDelta, 6),
    decimal(param.gamma, 6),
    decimal(param.vega, 8),
    decimal(param.premium, 8),
    param.maintenanceMargin === null ? '-' : decimal(param.maintenanceMargin, 6),
    param.initialMargin === null ? '-' : decimal(param.initialMargin, 6),
  ])
  const widths = titles.map((title, at) => Math.max(title.length, ...lines.map((line) => line[at]?.length ?? 0)))
  const table = [titles, ...lines].map((line) =>
    line.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
  )
  return [...header, '', ...table].join('\n')
}

function option({ underlying, expiry, strike, call }: Instrument): string {
  return `${underlying} ${time(expiry)} ${decimal(strike, 8)} ${call ? 'C' : 'P'}`
}

// Exact, because a double has not the digits.
function decimal(value: bigint, digits: number): string {
  const text = (value < 0n ? -value : value).toString().padStart(digits + 1, '0')
  const fraction = text.slice(-digits).replace(/0+$/, '')
  return `${value < 0n ? '-' : ''}${text.slice(0, -digits)}${fraction === '' ? '' : `.${fraction}`}`
}

function time(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? `second ${seconds}` : date.toISOString().replace('.000Z', 'Z')
}

function options(argv: readonly string[]): { path: string; expected: Expected } {
  let parsed
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { 'group-key': { type: 'string' }, 'chain-id': { type: 'string' }, contract: { type: 'string' } },
    })
  } catch (error) {
    throw new ReportError(`${(error as Error).message}\n${USAGE}`)
  }
  const [path, ...more] = parsed.positionals
  const { 'group-key': groupKey, 'chain-id': chain, contract } = parsed.values
  if (path === undefined || more.length > 0) throw new ReportError(USAGE)
  if (groupKey === undefined || chain === undefined || contract === undefined) throw new ReportError(USAGE)
  for (const [name, value] of Object.entries({ '--group-key': groupKey, '--contract': contract })) {
    if (!isAddress(value)) throw new ReportError(`${name} ${value} is no address, or its checksum is wrong`)
  }
  const chainId = Number(chain)
  if (!/^[0-9]+$/.test(chain) || !Number.isSafeInteger(chainId) || chainId < 1) {
    throw new ReportError(`--chain-id ${chain} is no chain id`)
  }
  return { path, expected: { groupKey: groupKey as Address, chainId, contract: contract as Address } }
}

try {
  const { path, expected } = options(process.argv.slice(2))
  const file = loadReportFile(path)
  const rows = await verify(file, expected)
  console.log(show(file, rows, Math.floor(Date.now() / 1000)))
} catch (error) {
  if (!(error instanceof ReportError)) throw error
  console.error(`verify-report: ${error.message}`)
  process.exitCode = 1
}
