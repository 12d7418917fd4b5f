//! Writes the gRPC stubs of `tonic_grpc.rs`. A service with a `.proto` file would use `tonic-prost-build` here.

fn main() {
    let who_am_i = tonic_build::manual::Method::builder()
        .name("who_am_i")
        .route_name("WhoAmI")
        .input_type("super::WhoAmIRequest")
        .output_type("super::WhoAmIReply")
        .codec_path("tonic_prost::ProstCodec")
        .build();
    let profile = tonic_build::manual::Service::builder().name("Profile").package("example").method(who_am_i).build();
    tonic_build::manual::Builder::new().compile(&[profile]);
}
