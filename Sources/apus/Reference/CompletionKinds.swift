import ArgumentParser

/// Which containers an argument may name, for `Completion`. ArgumentParser's own scripts, which would run these as shell
/// commands, are not used.
enum ContainerChoice: String {
    case all, running, stopped
}

extension CompletionKind {
    static var containers: CompletionKind { .shellCommand(ContainerChoice.all.rawValue) }
    static var runningContainers: CompletionKind { .shellCommand(ContainerChoice.running.rawValue) }
    static var stoppedContainers: CompletionKind { .shellCommand(ContainerChoice.stopped.rawValue) }
}

extension CompletionKind {
    static var images: CompletionKind { .shellCommand(imageNames) }
    /// Marks arguments that are names of images.
    static let imageNames = "images"
}

extension ArgumentHelp {
    /// How commands take images.
    static var image: ArgumentHelp { ArgumentHelp("Name, ID or unique beginning of an ID", valueName: "image") }

    /// How commands take containers.
    static var container: ArgumentHelp {
        ArgumentHelp("Name, ID or unique beginning of an ID", valueName: "container")
    }
}
