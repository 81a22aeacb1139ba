// The report file that `mpc-coordinator` exports: one signed report with the instruments it is about. Version 1.
import { readFileSync, statSync } from 'node:fs'
import type { Address, Hex } from 'viem'

const VERSION = 1
const MAX_BYTES = 1 << 20
const MAX_INSTRUMENTS = 1024
const MAX_EXPIRIES = 64

/** What is wrong with a file or a report, in one line for whoever runs the program. */
export class ReportError extends Error {}

export type Report = {
  consortium: Hex
  epoch: bigint
  round: bigint
  observedAt: bigint
  validUntil: bigint
  book: Hex
  model: Hex
  inputs: Hex
  forwards: readonly Hex[]
  params: readonly Hex[]
}

export type ReportFile = {
  chainId: number
  contract: Address
  report: Report
  instruments: readonly Hex[]
  digest: Hex
  signature: Hex
}

export function loadReportFile(path: string): ReportFile {
  let text: string
  try {
    if (statSync(path).size > MAX_BYTES) throw new ReportError(`${path} is larger than any report file`)
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof ReportError) throw error
    throw new ReportError(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new ReportError(`${path} is not JSON`)
  }
  return parseReportFile(json)
}

function parseReportFile(json: unknown): ReportFile {
  const file = record(json, 'the file', [
    'version', 'chain_id', 'contract', 'report', 'instruments', 'digest', 'signature',
  ])
  if (file.version !== VERSION) {
    throw new ReportError(`the file has version ${String(file.version)}; this program reads version ${VERSION}`)
  }
  const report = record(file.report, 'report', [
    'consortium', 'epoch', 'round', 'observed_at', 'valid_until', 'book', 'model', 'inputs', 'forwards', 'params',
  ])
  return {
    chainId: Number(integer(file.chain_id, 'chain_id')),
    contract: hex(file.contract, 'contract', 20),
    report: {
      consortium: hex(report.consortium, 'consortium', 32),
      epoch: integer(report.epoch, 'epoch'),
      round: integer(report.round, 'round'),
      observedAt: integer(report.observed_at, 'observed_at'),
      validUntil: integer(report.valid_until, 'valid_until'),
      book: hex(report.book, 'book', 32),
      model: hex(report.model, 'model', 32),
      inputs: hex(report.inputs, 'inputs', 32),
      forwards: words(report.forwards, 'forwards', MAX_EXPIRIES),
      params: words(report.params, 'params', MAX_INSTRUMENTS),
    },
    instruments: words(file.instruments, 'instruments', MAX_INSTRUMENTS),
    digest: hex(file.digest, 'digest', 32),
    signature: hex(file.signature, 'signature', 65),
  }
}

function record(value: unknown, name: string, keys: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ReportError(`${name} is no JSON object`)
  }
  const missing = keys.filter((key) => !Object.hasOwn(value, key))
  const unknown = Object.keys(value).filter((key) => !keys.includes(key))
  if (missing.length > 0) throw new ReportError(`${name} lacks ${missing.join(', ')}`)
  if (unknown.length > 0) throw new ReportError(`${name} has unknown fields: ${unknown.join(', ')}`)
  return value as Record<string, unknown>
}

// JSON.parse rounds above 2^53 without a word: a rounded number would only show as a wrong digest.
function integer(value: unknown, name: string): bigint {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new ReportError(`${name} is no whole number from 0 to 2^53 - 1`)
  }
  return BigInt(value)
}

function hex(value: unknown, name: string, bytes: number): Hex {
  if (typeof value !== 'string' || value.length !== 2 + 2 * bytes || !/^0x[0-9a-fA-F]*$/.test(value)) {
    throw new ReportError(`${name} is not 0x and ${2 * bytes} hex digits`)
  }
  return value as Hex
}

function words(value: unknown, name: string, most: number): readonly Hex[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > most) {
    throw new ReportError(`${name} is no list of 1 to ${most} words`)
  }
  return value.map((item, index) => hex(item, `${name}[${index}]`, 32))
}
