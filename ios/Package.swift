// swift-tools-version: 5.9
// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
import PackageDescription

// Linux has no Core ML: there, and nowhere else, `make swift-test` builds with doubles of it.
#if os(Linux)
    let frameworks: [Target.Dependency] = ["CoreML", "CoreVideo"]
    let doubles: [Target] = [
        .target(name: "CoreVideo", path: "Doubles/CoreVideo"),
        .target(name: "CoreML", dependencies: ["CoreVideo"], path: "Doubles/CoreML"),
        .testTarget(
            name: "SAM2LiteLoopTests", dependencies: ["SAM2Lite", "CoreML", "CoreVideo"]),
    ]
#else
    let frameworks: [Target.Dependency] = []
    let doubles: [Target] = []
#endif

let package = Package(
    name: "SAM2Lite",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "SAM2Lite", targets: ["SAM2Lite"])],
    targets: [
        .target(name: "SAM2Lite", dependencies: frameworks),
        .testTarget(
            name: "SAM2LiteTests", dependencies: ["SAM2Lite"], resources: [.copy("Traces")]),
    ] + doubles
)
