import ArgumentParser
import Containers
import Formats
import Images
import Linux
import Registries

/// `apus image referrers`: what a registry has about an image.
struct ShowReferrers: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image referrers",
        abstract: "Show what a registry has about an image: signatures, bills of material, attestations")

    @Option(name: .customLong("type"), help: "Of that kind alone, such as application/spdx+json") var kind: String?
    @Option(help: "table, json, or a Go template such as '{{.Digest}}'") var format: String?
    @Option(help: "Take credentials from this file") var authfile: String?
    @Argument(help: ArgumentHelp("The image's name", valueName: "name[:tag|@digest]")) var name: String

    private static let listing = Listing(
        titles: ["Digest": "DIGEST", "Type": "TYPE", "MediaType": "MEDIA TYPE", "Size": "SIZE"],
        columns: ["Digest", "Type", "Size"])

    func run() throws {
        var options = RegistryOptions()
        options.authFile = authfile
        let found = try Pull.referrers(to: ImageReference(name), artifactType: kind, options: options)
        Output.write(try Self.listing.render(found.map(Self.value), format: format))
    }

    private static func value(_ referrer: Descriptor) -> Value {
        [
            "Digest": .string(referrer.digest.description), "Type": .string(referrer.artifactType ?? ""),
            "MediaType": .string(referrer.mediaType.rawValue),
            "Size": .string(ByteSize.decimal(UInt64(clamping: referrer.size))),
        ]
    }
}
