// digest-ethers.mjs <artifact.json> <vector.json>: what ethers says of the golden report.
import { TypedDataEncoder, recoverAddress } from 'ethers'
import { json, print, reportType } from './abi.mjs'

const [artifact, vector] = process.argv.slice(2).map(json)
const domain = {
  name: 'MPC Hedge Report', version: '1', chainId: vector.chainId, verifyingContract: vector.contract,
}
const digest = TypedDataEncoder.hash(domain, { HedgeReport: reportType(artifact.abi) }, vector.report)
print({
  digest,
  domainSeparator: TypedDataEncoder.hashDomain(domain),
  signer: recoverAddress(digest, vector.signature),
})
