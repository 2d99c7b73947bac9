import ArgumentParser
import Formats
import Images
import Linux

/// `apus image inspect`: everything that is known of images.
struct InspectImages: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image inspect", abstract: "Show everything about images, as JSON or as a template says")

    @Option(name: .shortAndLong, help: "json, or a Go template such as '{{.Config.Cmd}}'") var format: String?
    @Option(help: "Take it only if it is for this platform, such as linux/arm64") var platform: String?
    @Argument(help: .image, completion: .images) var images: [String]

    func run() throws {
        let store = try ImageCommand.openStore()
        try Inspect.show(images, format: format) { name in
            try ImageInspection(ImageCommand.find(name, for: platform, in: store), in: store).value
        }
    }
}
