/// A value that is one of several things: in JSON a word (`"host"`), or where something comes with it an object whose
/// only field has the word as its name (`{"container": "5f2a"}`).
///
/// One declaration, `map`, serves for reading and for writing.
package protocol JSONChoice: JSONValue {
    /// Any of them, to be replaced by the one that is read.
    init()
    /// Names each of them.
    mutating func map(_ choices: JSONChoices)
}

/// The one of several things that is being read or written.
package final class JSONChoices {
    private let fields: JSONFields
    /// Of the word or the name that says which one; `nil` when writing.
    private let word: JSONPlace?
    /// Of what comes with it; `nil` when writing, or when nothing does.
    private let value: JSONPlace?
    /// Whether it was one of them, when reading.
    fileprivate private(set) var isKnown = false

    fileprivate init(writing fields: JSONFields) {
        self.fields = fields
        word = nil
        value = nil
    }

    /// - Returns: `nil` for what is neither a word nor an object with one field.
    fileprivate init?(_ fields: JSONFields, reading place: JSONPlace) {
        self.fields = fields
        if place.kind == .string {
            word = place
            value = nil
        } else if let (name, value) = place.onlyField {
            word = name
            self.value = value
        } else {
            return nil
        }
    }

    /// The word as it is read.
    fileprivate var text: String { word.map { $0.document.string($0.index) } ?? "" }

    /// One that nothing comes with.
    ///
    /// - Parameter isWritten: Whether it is this one, when writing.
    /// - Returns: Whether it is this one, when reading.
    package func word(_ name: StaticString, _ isWritten: Bool) -> Bool {
        guard word == nil else { return value == nil && isRead(name) }
        if isWritten { fields.write(word: name) }
        return false
    }

    /// One that something comes with.
    ///
    /// - Parameter written: What comes with it, when writing; `nil` if it is another one.
    /// - Returns: What came with it, when reading; `nil` if it is another one.
    package func value<Value: JSONValue>(_ name: StaticString, _ written: Value?) -> Value? {
        if let value { return isRead(name) ? Value.read(from: fields, at: value) : nil }
        guard word == nil, let written else { return nil }
        fields.writeObject { fields.write(name, written) }
        return nil
    }

    /// When reading.
    private func isRead(_ name: StaticString) -> Bool {
        guard let word, word.document.isString(word.index, name) else { return false }
        isKnown = true
        return true
    }
}

extension JSONChoice {
    package static func read(from fields: JSONFields, at place: JSONPlace) -> Self? {
        guard let choices = JSONChoices(fields, reading: place) else {
            fields.fail(place, expected: "a string or an object with one field")
            return nil
        }
        var result = Self()
        result.map(choices)
        if !choices.isKnown { fields.fail(place, "unknown value '\(choices.text)'") }
        return fields.error == nil ? result : nil
    }

    package func write(to fields: JSONFields) {
        var copy = self  // which writing does not change
        copy.map(JSONChoices(writing: fields))
    }
}
