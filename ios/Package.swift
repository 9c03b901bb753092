// swift-tools-version: 5.9
// Experimental, not compiled: no Swift toolchain has seen this file (docs/ios.md).
import PackageDescription

let package = Package(
    name: "SAM2Lite",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "SAM2Lite", targets: ["SAM2Lite"])],
    targets: [
        .target(name: "SAM2Lite"),
        .testTarget(
            name: "SAM2LiteTests", dependencies: ["SAM2Lite"], resources: [.copy("Traces")]),
    ]
)
