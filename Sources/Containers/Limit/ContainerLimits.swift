import Reports

/// A container's limits and name, as a report tells them.
extension LimitConfig {
    /// The limits of a container, by the names that `limit` has for them.
    init(_ container: ContainerConfig) {
        self.init()
        command = container.arguments
        resources = container.resources
        policy = container.limits
        timeout = container.timeout
        if let both = resources.memorySwap, let memory = resources.memory, both >= memory { swap = both - memory }
    }
}

extension ContainerConfig {
    func reported(as id: String) -> UsageReport.Container {
        let image: String? =
            switch root {
            case .image(let image): image.reference
            case .host: "@host"
            default: nil
            }
        return UsageReport.Container(id: id, name: name, image: image)
    }
}
