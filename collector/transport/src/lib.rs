//! Servers and clients from settings: TLS, gRPC, HTTP, compression with caps.
