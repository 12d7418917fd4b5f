//! Puts letters into words.

use std::sync::Arc;

use auth_core::Email;
use auth_core::letters::{Language, Letter, LetterId, LetterKind};
use auth_core::recovery::OneTimeCode;
use time::OffsetDateTime;

use crate::composed_letter::ComposedLetter;
use crate::link_base::{LinkBase, page_of};
use crate::product_name::ProductName;
use crate::sender::Sender;
use crate::templates::{LetterData, TEST_LETTER, TemplateError, Templates};

/// Puts letters into words: templates, the sender, the base of links and the name of the product. Clones share the templates.
#[derive(Debug, Clone)]
pub struct Composer {
    sender: Sender,
    links: LinkBase,
    product: ProductName,
    templates: Arc<Templates>,
}

/// Reason that a letter cannot be put into words.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The letter is a decoy, which is never sent.
    #[error("the letter is a decoy: it has no address")]
    Decoy,
    /// A letter of this kind has a link, and this one has no secret to put into it.
    #[error("a letter of the kind {} needs a secret", .0.as_str())]
    NoSecret(LetterKind),
    /// A letter of this kind has no link, and this one has a secret.
    #[error("a letter of the kind {} has no place for a secret", .0.as_str())]
    NoLink(LetterKind),
    /// A template failed with the data of the letter.
    #[error("a template failed")]
    Template(#[from] TemplateError),
}

impl Composer {
    /// Returns a composer with these templates. The name of the product is the host of the links.
    #[must_use]
    pub fn new(sender: Sender, links: LinkBase, templates: Templates) -> Self {
        let product = ProductName::from_host(links.host());
        Self { sender, links, product, templates: Arc::new(templates) }
    }

    /// Sets the name of the product.
    #[must_use]
    pub fn with_product_name(self, product: ProductName) -> Self {
        Self { product, ..self }
    }

    /// Returns the sender.
    #[must_use]
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Returns the templates.
    #[must_use]
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// Puts a letter into words.
    ///
    /// # Errors
    ///
    /// When the letter is a decoy, its secret does not fit its kind, or a template fails.
    pub fn compose(&self, letter: &Letter) -> Result<ComposedLetter, ComposeError> {
        let kind = letter.kind;
        let to = letter.to.as_ref().ok_or(ComposeError::Decoy)?;
        let link = match &letter.secret {
            Some(secret) => Some(self.links.link(kind, &secret.token).ok_or(ComposeError::NoLink(kind))?),
            None if page_of(kind).is_some() => return Err(ComposeError::NoSecret(kind)),
            None => None,
        };
        let secret = letter.secret.as_ref();
        let code = secret.and_then(|secret| secret.code.as_ref()).map(OneTimeCode::expose_grouped);
        let data = LetterData {
            product: self.product.as_str(),
            address: to.as_str(),
            username: Some(letter.username.as_str()),
            link: link.as_deref(),
            code: code.as_deref(),
            expires_at: secret.map(|secret| secret.expires_at),
        };
        let envelope = Envelope { id: letter.id, name: kind.as_str(), to, written_at: letter.created_at };
        Ok(self.in_words(&envelope, &letter.language, &data)?)
    }

    /// Returns a letter that says that letters arrive. It is about no account.
    ///
    /// # Errors
    ///
    /// When a template fails.
    pub fn test(
        &self,
        id: LetterId,
        to: &Email,
        language: &Language,
        written_at: OffsetDateTime,
    ) -> Result<ComposedLetter, ComposeError> {
        let data = LetterData {
            product: self.product.as_str(),
            address: to.as_str(),
            username: None,
            link: None,
            code: None,
            expires_at: None,
        };
        Ok(self.in_words(&Envelope { id, name: TEST_LETTER, to, written_at }, language, &data)?)
    }

    fn in_words(
        &self,
        envelope: &Envelope<'_>,
        wanted: &Language,
        data: &LetterData<'_>,
    ) -> Result<ComposedLetter, TemplateError> {
        let language = self.templates.language_for(wanted);
        let words = self.templates.render(envelope.name, &language, data)?;
        Ok(ComposedLetter {
            id: envelope.id,
            name: envelope.name,
            sender: self.sender.clone(),
            to: envelope.to.clone(),
            language,
            subject: words.subject,
            text: words.text,
            html: words.html,
            link: data.link.map(ToOwned::to_owned),
            code: data.code.map(ToOwned::to_owned),
            written_at: envelope.written_at,
        })
    }
}

/// What a letter has besides its words.
struct Envelope<'a> {
    id: LetterId,
    name: &'static str,
    to: &'a Email,
    written_at: OffsetDateTime,
}
