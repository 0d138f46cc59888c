// swift-tools-version:5.7
import PackageDescription

let package = Package(
    name: "Evrim",
    products: [
        .library(name: "Evrim", targets: ["Evrim"]),
    ],
    targets: [
        .systemLibrary(name: "CEvrim", pkgConfig: "evrim", providers: [.apt(["libevrim-dev"])]),
        .target(name: "Evrim", dependencies: ["CEvrim"]),
        .executableTarget(name: "quickstart", dependencies: ["Evrim"]),
        .testTarget(name: "EvrimTests", dependencies: ["Evrim"]),
    ]
)
