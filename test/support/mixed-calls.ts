/** The one call of gRPC that mixed loads make; its messages are plain bytes. */
import type { ServiceDefinition } from '@grpc/grpc-js';

const bytes = (value: Buffer): Buffer => value;

export const echoMethod: ServiceDefinition[string] = {
  path: '/test.Mixed/say',
  requestStream: false,
  responseStream: false,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
};
