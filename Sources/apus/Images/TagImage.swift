import ArgumentParser
import Images

/// `apus tag`, `apus image tag`: give an image another name.
struct TagImage: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tag", abstract: "Give an image another name")

    @Argument(help: .image, completion: .images) var source: String
    @Argument(help: ArgumentHelp("The new name", valueName: "name[:tag]")) var target: String

    func run() throws {
        try ImageCommand.openStore().tag(source, as: ImageReference(target))
    }
}
