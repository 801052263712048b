import grpc from "@grpc/grpc-js";

const text = {
  requestStream: false,
  requestSerialize: (value: string) => Buffer.from(value),
  requestDeserialize: String,
  responseSerialize: (value: string) => Buffer.from(value),
  responseDeserialize: String,
} as const;

/** Gives a text back: at once, or in five parts. Its messages are the bare text. */
export const EchoClient: grpc.ServiceClientConstructor = grpc.makeGenericClientConstructor(
  {
    once: { ...text, path: "/soak.Echo/Once", responseStream: false },
    parts: { ...text, path: "/soak.Echo/Parts", responseStream: true },
  },
  "Echo",
);
