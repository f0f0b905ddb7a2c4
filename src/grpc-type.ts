/** What a Content-Type says of gRPC: the one place that tells it from gRPC-Web, whose types begin alike. */

/** The type alone, or with a subtype (gRPC's PROTOCOL-HTTP2, "Requests"); grpc-go takes parameters, too. */
const GRPC = /^application\/grpc(?:$|[+;])/;
/** gRPC's PROTOCOL-WEB. Its messages are framed alike, but trailers come as a last message, and text is base64. */
const GRPC_WEB = /^application\/grpc-web(?:-text)?(?:\+[a-z]+)?(?=$|[ ;])/i;

export function isGrpcType(contentType: string | undefined): boolean {
  return contentType !== undefined && GRPC.test(contentType);
}

/** The type without its parameters, if it is one of gRPC-Web. */
export function grpcWebType(contentType: string): string | undefined {
  return GRPC_WEB.exec(contentType)?.[0];
}
