import Linux
import OCI
import Testing

@testable import Containers

/// What containers take from their images.
@Suite struct ImageDefaultsTests {
    private var image: ImageDefaults {
        var image = ImageDefaults()
        image.entrypoint = ["/entry", "point"]
        image.command = ["serve"]
        image.environment = ["PATH=/image", "A=image"]
        image.user = "app"
        image.workingDirectory = "/work"
        image.volumes = ["/data", "/logs/"]
        image.stopSignal = "SIGQUIT"
        image.stopTimeout = 3
        image.labels = ["a": "image", "b": "image"]
        image.healthCheck = HealthCheck(command: "check")
        image.healthCheck?.retries = 7
        return image
    }

    private func applied(
        _ overrides: ContainerConfig.ImageOverrides = .init(), _ change: (inout ContainerConfig) -> Void = { _ in }
    ) throws(Failure) -> ContainerConfig {
        var config = ContainerConfig(root: .image(ImageRoot(reference: "test")))
        change(&config)
        try config.apply(image, overrides)
        return config
    }

    @Test func `all of the image counts where nothing was asked for`() throws {
        let config = try applied()
        #expect(config.arguments == ["/entry", "point", "serve"])
        #expect(config.environment == ["PATH=/image", "A=image"])
        #expect(config.user == "app" && config.workingDirectory == "/work")
        #expect(config.mounts.map(\.destination) == ["/data", "/logs"])
        #expect(config.mounts.allSatisfy { $0.source.isEmpty })
        #expect(config.stopSignal == 3 && config.stopTimeout == 3)
        #expect(config.labels == ["a": "image", "b": "image"] && config.healthCheck == image.healthCheck)
    }

    @Test func `what was asked for comes first`() throws {
        let config = try applied {
            $0.command = ["other"]
            $0.environment = ["A=mine", "B=mine"]
            $0.user = "me"
            $0.workingDirectory = "/mine"
            $0.mounts = [MountRequest(kind: .tmpfs, destination: "/data")]
            $0.stopSignal = 9
            $0.stopTimeout = 1
            $0.labels = ["a": "mine"]
            $0.healthCheck = HealthCheck(command: "")
            $0.healthCheck?.retries = 1
        }
        #expect(config.arguments == ["/entry", "point", "other"])
        #expect(config.environment == ["PATH=/image", "A=mine", "B=mine"])
        #expect(config.user == "me" && config.workingDirectory == "/mine")
        #expect(config.mounts.map(\.destination) == ["/data", "/logs"] && config.mounts.first?.kind == .tmpfs)
        #expect(config.stopSignal == 9 && config.stopTimeout == 1)
        #expect(config.labels == ["a": "mine", "b": "image"])
        #expect(config.healthCheck?.command == "check" && config.healthCheck?.retries == 1)
    }

    @Test func `an entry point of one's own drops the image's command too`() throws {
        var overrides = ContainerConfig.ImageOverrides()
        overrides.entrypoint = true
        let config = try applied(overrides) { $0.entrypoint = ["/mine"] }
        #expect(config.arguments == ["/mine"])
        #expect(throws: Failure.self) { try applied(overrides) }
        #expect(try applied(overrides) { $0.command = ["sh"] }.arguments == ["sh"])
    }

    @Test func `no check is made when none is wanted`() throws {
        var overrides = ContainerConfig.ImageOverrides()
        overrides.noHealthCheck = true
        #expect(try applied(overrides).healthCheck == nil)
    }

    @Test func `an image's record comes back as it was written`() throws {
        var config = try applied()
        config.root = .image(
            ImageRoot(
                reference: "test", name: "docker.io/library/test:latest", id: "sha256:12", layers: ["ab", "cd"],
                exposedPorts: ["80/tcp"], volumes: ["/data"]))
        config.healthCheck?.arguments = ["check", "it"]
        #expect(try ContainerConfig(json: config.json()) == config)
    }

    @Test(arguments: ["", "../x", "AB", "a/b"])
    func `a layer that is no chain ID is refused`(layer: String) throws {
        var config = try applied()
        config.root = .image(ImageRoot(reference: "test", layers: [layer]))
        #expect(throws: (any Error).self) { try ContainerConfig(json: config.json()) }
    }
}
