// swift-tools-version: 6.2
import PackageDescription

/// Every target of ours: warnings are errors, and only what is imported by name is visible.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("MemberImportVisibility"),
    // For Swift's own Glibc module as for CLinux: types such as fd_set differ with and without it.
    .unsafeFlags(["-Xcc", "-D_GNU_SOURCE"]),
    // What [Mount] or Device? is to the runtime: made by the compiler, not by each process at the first use.
    .unsafeFlags(["-Xfrontend", "-prespecialize-generic-metadata"], .when(configuration: .release)),
    // For the link order: the linker moves sections.
    .unsafeFlags(["-Xfrontend", "-function-sections"], .when(configuration: .release)),
]

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")

let package = Package(
    name: "apus",
    products: [.executable(name: "apus", targets: ["apus"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.30.0"),
        .package(url: "https://github.com/apple/swift-crypto", "3.12.3"..<"5.0.0"),
    ],
    targets: [
        // C: headers alone, for what Swift cannot import.
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CCap", providers: [.apt(["libcap-dev"])]),
        .systemLibrary(name: "CSeccomp", providers: [.apt(["libseccomp-dev"])]),
        .systemLibrary(name: "CArchive", providers: [.apt(["libarchive-dev"])]),

        .target(name: "Linux", dependencies: ["CLinux", "CCap", "CSeccomp", system], swiftSettings: strict),
        .target(name: "OCI", swiftSettings: strict),
        .target(name: "Cgroups", dependencies: ["Linux", "OCI", "CLinux", system], swiftSettings: strict),
        .target(name: "Sandbox", dependencies: ["Linux", "OCI", "Cgroups", "CLinux", system], swiftSettings: strict),
        .target(name: "Archives", dependencies: ["Linux", "CArchive", system], swiftSettings: strict),
        .target(name: "Networks", dependencies: ["Linux", "OCI", "CLinux", system], swiftSettings: strict),
        .target(
            name: "Containers",
            dependencies: ["Linux", "OCI", "Cgroups", "Sandbox", "Archives", "Networks", "Reports", "CLinux", system],
            swiftSettings: strict),
        .target(
            name: "Images", dependencies: ["Linux", "OCI", "Archives", "CLinux", "CArchive", crypto, system],
            swiftSettings: strict),
        // The only one with threads and async: what links it stays single-threaded until it calls it.
        .target(
            name: "Registries",
            dependencies: [
                "Images", "Linux", "OCI", system,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict),
        // The language: a text goes in, a value comes out.
        .target(name: "Dockerfiles", dependencies: ["Linux", "OCI"], swiftSettings: strict),
        // From a Dockerfile to an image, step by step.
        .target(
            name: "Builder",
            dependencies: [
                "Dockerfiles", "Containers", "Images", "Archives", "Networks", "Linux", "OCI", "CLinux", crypto, system,
            ],
            swiftSettings: strict),
        .target(
            name: "Runtime", dependencies: ["Linux", "OCI", "Cgroups", "Sandbox", "CLinux", system],
            swiftSettings: strict),
        .target(
            name: "Flags", dependencies: ["Cgroups", "Containers", "Linux", "Networks", "OCI", "Reports"],
            swiftSettings: strict),
        // What commands used, and how they ended.
        .target(
            name: "Reports", dependencies: ["Linux", "OCI", system], exclude: ["report.schema.json"],
            swiftSettings: strict),
        // What commands print: values as JSON, as tables, and by Go templates.
        .target(name: "Formats", dependencies: ["Linux"], swiftSettings: strict),
        .executableTarget(
            name: "apus",
            dependencies: [
                "Linux", "OCI", "Cgroups", "Sandbox", "Archives", "Networks", "Images", "Registries", "Containers",
                "Builder", "Dockerfiles", "Runtime", "Flags", "Formats", "Reports", "CLinux", system,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict + [.unsafeFlags(["-static-executable"])],
            // lld, because gold warns of calls in glibc that only unused parts of Foundation make. Without the sections
            // that nothing uses, because in libarchive those want libxml2 and nettle, for formats other than tar.
            linkerSettings: [
                // What ArgumentParser's FoundationEssentials wants, and names only to those who import it themselves.
                .linkedLibrary("_FoundationCollections"), .linkedLibrary("_FoundationCShims"),
                .unsafeFlags(["-static-executable", "-use-ld=lld", "-Xlinker", "--gc-sections"]),
                // What a run executes lies side by side (`make link-order`). Functions that are gone since are passed over.
                .unsafeFlags(
                    [
                        "-Xlinker", "--symbol-ordering-file=\(Context.packageDirectory)/Sources/link-order.txt",
                        "-Xlinker", "--no-warn-symbol-ordering",
                    ], .when(configuration: .release)),
            ]),

        .testTarget(name: "LinuxTests", dependencies: ["Linux", system], swiftSettings: strict),
        .testTarget(name: "OCITests", dependencies: ["OCI"], swiftSettings: strict),
        .testTarget(name: "CgroupsTests", dependencies: ["Cgroups", "OCI", "Linux", system], swiftSettings: strict),
        .testTarget(name: "NetworksTests", dependencies: ["Networks", "OCI", "Linux", system], swiftSettings: strict),
        .testTarget(name: "SandboxTests", dependencies: ["Sandbox", "OCI", "Linux", system], swiftSettings: strict),
        .testTarget(
            name: "ContainersTests",
            dependencies: [
                "Containers", "Archives", "Cgroups", "Networks", "Sandbox", "OCI", "Linux", "CLinux", system,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ImagesTests", dependencies: ["Images", "Archives", "OCI", "Linux", "CLinux", system],
            swiftSettings: strict),
        .testTarget(
            name: "RegistriesTests", dependencies: ["Registries", "Images", "Linux", "OCI", system],
            swiftSettings: strict),
        .testTarget(name: "DockerfilesTests", dependencies: ["Dockerfiles", "Linux", "OCI"], swiftSettings: strict),
        .testTarget(
            name: "BuilderTests",
            dependencies: ["Builder", "Dockerfiles", "Images", "Archives", "Linux", "OCI", system],
            swiftSettings: strict),
        .testTarget(name: "RuntimeTests", dependencies: ["Runtime", "Cgroups", "OCI", "Linux"], swiftSettings: strict),
        .testTarget(
            name: "FlagsTests", dependencies: ["Flags", "Cgroups", "Containers", "Networks", "OCI", "Linux"],
            swiftSettings: strict),
        .testTarget(name: "ReportsTests", dependencies: ["Reports", "Linux", "OCI"], swiftSettings: strict),
        .testTarget(name: "FormatsTests", dependencies: ["Formats", "Linux"], swiftSettings: strict),
        // The real executable against the real kernel.
        .testTarget(
            name: "System", dependencies: ["Linux", "OCI", "Reports", "CLinux", system], path: "Tests/System",
            swiftSettings: strict),
    ]
)

// For `make fuzz` alone: they have no main function of their own, so nothing else can link them.
if Context.environment["APUS_FUZZ"] != nil {
    package.targets += [
        .executableTarget(
            name: "FuzzConfig", dependencies: ["OCI"], path: "Tests/Fuzz/Config", swiftSettings: strict),
        .executableTarget(
            name: "FuzzDockerfile", dependencies: ["Dockerfiles"], path: "Tests/Fuzz/Dockerfile", swiftSettings: strict),
        .executableTarget(
            name: "FuzzImageText", dependencies: ["Images", "Linux", "OCI"], path: "Tests/Fuzz/ImageText",
            swiftSettings: strict),
        .executableTarget(
            name: "FuzzLayer", dependencies: ["Images", "Linux", "OCI", system], path: "Tests/Fuzz/Layer",
            swiftSettings: strict),
        .executableTarget(
            name: "FuzzMountTarget", dependencies: ["Sandbox", "Linux", system], path: "Tests/Fuzz/MountTarget",
            swiftSettings: strict),
    ]
}
