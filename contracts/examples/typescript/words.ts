// The 32-byte words of a report: contracts/src/types/*.sol has their layouts. Fields are whole bytes, most significant
// first; what no contract accepts is refused here too.
import type { Hex } from 'viem'
import { ReportError } from './report-file.ts'

const MARGIN_ABSENT = 0xffffffn

export type Instrument = { underlying: string; call: boolean; expiry: number; strike: bigint }
export type Forward = { expiry: number; forward: bigint }
export type Param = {
  iv: bigint
  bsDelta: bigint
  hedgeDelta: bigint
  gamma: bigint
  vega: bigint
  premium: bigint
  maintenanceMargin: bigint | null
  initialMargin: bigint | null
}

export function unpackInstrument(word: Hex, index: number): Instrument {
  const underlying = Buffer.from(word.slice(2, 26), 'hex').toString('latin1').replace(/\0+$/, '')
  const kind = field(word, 12, 1)
  const expiry = Number(field(word, 13, 5))
  const strike = field(word, 18, 12)
  if (!/^[A-Z0-9]{1,12}$/.test(underlying) || (kind !== 1n && kind !== 2n) || expiry === 0 || strike === 0n) {
    throw new ReportError(`instrument word ${index} is no option: ${word}`)
  }
  requireZero(word, 30, 2, `instrument word ${index}`)
  return { underlying, call: kind === 1n, expiry, strike }
}

export function unpackForward(word: Hex, index: number): Forward {
  requireZero(word, 0, 15, `forward word ${index}`)
  const expiry = Number(field(word, 15, 5))
  const forward = field(word, 20, 12)
  if (expiry === 0 || forward === 0n) throw new ReportError(`forward word ${index} has a zero expiry or forward`)
  return { expiry, forward }
}

export function unpackParam(word: Hex, index: number): Param {
  requireZero(word, 29, 3, `param word ${index}`)
  const param = {
    iv: field(word, 0, 4),
    bsDelta: BigInt.asIntN(24, field(word, 4, 3)),
    hedgeDelta: BigInt.asIntN(24, field(word, 7, 3)),
    gamma: field(word, 10, 5),
    vega: field(word, 15, 4),
    premium: field(word, 19, 4),
    maintenanceMargin: margin(field(word, 23, 3)),
    initialMargin: margin(field(word, 26, 3)),
  }
  if (param.iv === 0n) throw new ReportError(`param word ${index} has a volatility of zero`)
  const { maintenanceMargin: maintenance, initialMargin: initial } = param
  if ((maintenance === null) !== (initial === null) || (initial ?? 0n) < (maintenance ?? 0n)) {
    throw new ReportError(`param word ${index} has one margin without the other, or an initial one below maintenance`)
  }
  return param
}

function margin(value: bigint): bigint | null {
  return value === MARGIN_ABSENT ? null : value
}

function field(word: Hex, byte: number, bytes: number): bigint {
  return BigInt(`0x${word.slice(2 + 2 * byte, 2 + 2 * (byte + bytes))}`)
}

function requireZero(word: Hex, byte: number, bytes: number, what: string): void {
  if (field(word, byte, bytes) !== 0n) throw new ReportError(`${what} has reserved bits set: ${word}`)
}
