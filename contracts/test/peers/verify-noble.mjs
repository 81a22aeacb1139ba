// verify-noble.mjs <public-key> <digest> <signature>...: what @noble/curves says of 65-byte signatures r || s || v, all hex.
// Prints for each: whether r || s verifies with s held to the lower half, whether it does with any s, and who is recovered.
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { print } from './abi.mjs'

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, 'hex'))
const [key, digest, ...signatures] = process.argv.slice(2).map(bytes)

const refusable = (work) => {
  try {
    return work()
  } catch {
    return null
  }
}
const verify = (signature, lowS) =>
  refusable(() => secp256k1.verify(signature, digest, key, { prehash: false, format: 'compact', lowS })) ?? false

print(
  signatures.map((signature) => {
    const compact = signature.subarray(0, 64)
    const recovered = Uint8Array.of(signature[64] - 27, ...compact)
    return {
      lowS: verify(compact, true),
      anyS: verify(compact, false),
      signer: refusable(() =>
        Buffer.from(secp256k1.recoverPublicKey(recovered, digest, { prehash: false })).toString('hex'),
      ),
    }
  }),
)
