// Whether a report is the consortium's: digest, signer and book, recomputed from what the caller expects.
import { type Address, type Hex, concat, hashTypedData, isAddressEqual, keccak256 } from 'viem'
import { recoverAddress } from 'viem/utils'
import { type Report, type ReportFile, ReportError } from './report-file.ts'
import { type Instrument, type Param, unpackForward, unpackInstrument, unpackParam } from './words.ts'

const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

// The type that the group key signs: contracts/src/HedgeReport.sol.
const TYPES = {
  HedgeReport: [
    { name: 'consortium', type: 'bytes32' },
    { name: 'epoch', type: 'uint64' },
    { name: 'round', type: 'uint64' },
    { name: 'observedAt', type: 'uint64' },
    { name: 'validUntil', type: 'uint64' },
    { name: 'book', type: 'bytes32' },
    { name: 'model', type: 'bytes32' },
    { name: 'inputs', type: 'bytes32' },
    { name: 'forwards', type: 'bytes32[]' },
    { name: 'params', type: 'bytes32[]' },
  ],
} as const

/** What the caller knows of the consortium from elsewhere. */
export type Expected = { groupKey: Address; chainId: number; contract: Address }
/** One instrument of a report with its forward (1e-8 of the quote currency) and parameters. */
export type Row = { instrument: Instrument; forward: bigint; param: Param }

export function reportDigest(report: Report, chainId: number, contract: Address): Hex {
  return hashTypedData({
    domain: { name: 'MPC Hedge Report', version: '1', chainId, verifyingContract: contract },
    types: TYPES,
    primaryType: 'HedgeReport',
    message: report,
  })
}

/** Gives the report's instruments in the book's order, or throws a ReportError that says what does not fit. */
export async function verify(file: ReportFile, expected: Expected): Promise<Row[]> {
  if (file.chainId !== expected.chainId || !isAddressEqual(file.contract, expected.contract)) {
    throw new ReportError(
      `the report is for contract ${file.contract} on chain ${file.chainId}, ` +
        `not for ${expected.contract} on ${expected.chainId}`,
    )
  }
  // From the expected chain and contract, never from the file's.
  const digest = reportDigest(file.report, expected.chainId, expected.contract)
  if (digest !== file.digest.toLowerCase()) {
    throw new ReportError(`the report's digest is ${digest}, the file says ${file.digest}`)
  }
  const signer = await recoverSigner(digest, file.signature)
  if (!isAddressEqual(signer, expected.groupKey)) {
    throw new ReportError(`the signature is ${signer}'s, not the group key's ${expected.groupKey}`)
  }
  return joinBook(file)
}

// As the contract does: v 27 or 28, and of the two valid s the lower one.
async function recoverSigner(hash: Hex, signature: Hex): Promise<Address> {
  const v = Number(`0x${signature.slice(130)}`)
  if (v !== 27 && v !== 28) throw new ReportError(`the signature has v = ${v}, not 27 or 28`)
  if (BigInt(`0x${signature.slice(66, 130)}`) > HALF_ORDER) throw new ReportError('the signature has a high s')
  try {
    return await recoverAddress({ hash, signature })
  } catch {
    throw new ReportError('the signature is of no key: r or s is out of range or no point')
  }
}

function joinBook(file: ReportFile): Row[] {
  const { report, instruments } = file
  if (keccak256(concat(instruments)) !== report.book.toLowerCase()) {
    throw new ReportError("these instruments are not the report's book: their hash differs")
  }
  if (instruments.length !== report.params.length) {
    throw new ReportError(`the book has ${instruments.length} instruments, the report ${report.params.length}`)
  }
  const forwards = new Map<number, bigint>()
  let previous = 0
  report.forwards.forEach((word, index) => {
    const { expiry, forward } = unpackForward(word, index)
    if (expiry <= previous) throw new ReportError(`forward word ${index}: expiries are not strictly ascending`)
    previous = expiry
    forwards.set(expiry, forward)
  })
  return report.params.map((word, index) => {
    const instrument = unpackInstrument(instruments[index] as Hex, index)
    const forward = forwards.get(instrument.expiry)
    if (forward === undefined) throw new ReportError(`instrument ${index} has an expiry without a forward`)
    return { instrument, forward, param: unpackParam(word, index) }
  })
}
