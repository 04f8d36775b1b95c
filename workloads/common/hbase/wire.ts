// HBase's messages and frames.
//
//   connection = "HBas" %x00 %x50 int32 ConnectionHeader            ; 80 = SIMPLE: no authentication
//   request    = int32 delimited(RequestHeader) delimited(parameter)
//   response   = int32 delimited(ResponseHeader) [delimited(result)] [cell block]
//
// int32 is the length of what follows, big-endian; delimited is protobuf's varint length and message.
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';

const root = protobuf.parse(readFileSync(new URL('hbase.proto', import.meta.url), 'utf8'), {
  keepCase: true,
}).root;

export type MessageName =
  | 'Comparator'
  | 'ConnectionHeader'
  | 'CoprocessorServiceRequest'
  | 'CoprocessorServiceResponse'
  | 'CreateTableRequest'
  | 'DecommissionRegionServersRequest'
  | 'GetActiveMasterRequest'
  | 'GetActiveMasterResponse'
  | 'GetMetaRegionLocationsRequest'
  | 'GetMetaRegionLocationsResponse'
  | 'GetRequest'
  | 'GetResponse'
  | 'GetProcedureResultRequest'
  | 'GetProcedureResultResponse'
  | 'ListDecommissionedRegionServersRequest'
  | 'ListDecommissionedRegionServersResponse'
  | 'MergeTableRegionsRequest'
  | 'MoveRegionRequest'
  | 'MultiRequest'
  | 'MultiResponse'
  | 'MutateRequest'
  | 'MutateResponse'
  | 'MutateRowsResponse'
  | 'ProcedureStarted'
  | 'RecommissionRegionServerRequest'
  | 'RegionInfo'
  | 'RequestHeader'
  | 'ResponseHeader'
  | 'RollWALWriterRequest'
  | 'ScanRequest'
  | 'ScanResponse'
  | 'SplitTableRegionRequest';

const types = new Map<MessageName, protobuf.Type>();

export function typeOf(name: MessageName): protobuf.Type {
  let type = types.get(name);
  if (!type) {
    type = root.lookupType(`hbase.${name}`);
    types.set(name, type);
  }
  return type;
}

export function encode(name: MessageName, message: object): Uint8Array {
  return typeOf(name).encode(message).finish();
}

/** Numbers of 64 bits come as protobufjs's Long, or as numbers where they are small. */
export function decode<T>(name: MessageName, bytes: Uint8Array): T {
  return typeOf(name).decode(bytes) as T & protobuf.Message;
}

const PREAMBLE = Buffer.from([0x48, 0x42, 0x61, 0x73, 0x00, 0x50]);
/** Results come as a block of KeyValues beside the message: cheaper to read than protobuf cells. */
const CELL_CODEC = 'org.apache.hadoop.hbase.codec.KeyValueCodec';

export function connectionPreamble(service: string, user: string): Buffer {
  const header = encode('ConnectionHeader', {
    user_info: { effective_user: user },
    service_name: service,
    cell_block_codec_class: CELL_CODEC,
  });
  return Buffer.concat([PREAMBLE, int32(header.length), header]);
}

export function requestFrame(
  call: { id: number; method: string; timeoutMs: number },
  parameter: { type: MessageName; message: object },
): Buffer {
  // One buffer for all of it, and no copy at the end: groups of writes are large. The length is known last.
  const writer = protobuf.Writer.create().fixed32(0);
  typeOf('RequestHeader').encodeDelimited(
    {
      call_id: call.id,
      method_name: call.method,
      request_param: true,
      timeout: Math.max(1, Math.round(call.timeoutMs)),
    },
    writer,
  );
  const bytes = typeOf(parameter.type).encodeDelimited(parameter.message, writer).finish(true);
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  frame.writeInt32BE(frame.length - LENGTH_BYTES, 0);
  return frame;
}

const LENGTH_BYTES = 4;

export type ResponseFrame = {
  id: number;
  exception: { className: string; detail: string; doNotRetry: boolean } | undefined;
  /** The result message, still encoded. */
  message: Uint8Array;
  cellBlock: Uint8Array;
};

/** @param frame what follows the length */
export function parseResponse(frame: Uint8Array): ResponseFrame {
  const reader = protobuf.Reader.create(frame);
  const header = typeOf('ResponseHeader').decodeDelimited(reader) as unknown as {
    call_id: number;
    exception?: { exception_class_name: string; stack_trace: string; do_not_retry: boolean } | null;
    cell_block_meta?: { length: number } | null;
  };
  if (header.exception) {
    const { exception_class_name, stack_trace, do_not_retry } = header.exception;
    return {
      id: header.call_id,
      exception: { className: exception_class_name, detail: stack_trace, doNotRetry: do_not_retry },
      message: new Uint8Array(),
      cellBlock: new Uint8Array(),
    };
  }
  const message = reader.bytes();
  const cells = header.cell_block_meta?.length ?? 0;
  return {
    id: header.call_id,
    exception: undefined,
    message,
    cellBlock: cells > 0 ? frame.subarray(reader.pos, reader.pos + cells) : new Uint8Array(),
  };
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}
