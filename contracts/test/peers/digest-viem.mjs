// digest-viem.mjs <artifact.json> <vector.json>: what viem says of the golden report.
import { hashDomain, hashTypedData, recoverAddress } from 'viem'
import { json, print, reportType } from './abi.mjs'

const [artifact, vector] = process.argv.slice(2).map(json)
const domain = {
  name: 'MPC Hedge Report', version: '1', chainId: vector.chainId, verifyingContract: vector.contract,
}
const types = { HedgeReport: reportType(artifact.abi) }
const digest = hashTypedData({ domain, types, primaryType: 'HedgeReport', message: vector.report })
const domainType = [
  { name: 'name', type: 'string' }, { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' }, { name: 'verifyingContract', type: 'address' },
]
print({
  digest,
  domainSeparator: hashDomain({ domain, types: { EIP712Domain: domainType } }),
  signer: await recoverAddress({ hash: digest, signature: vector.signature }),
})
