//! Where an image is baked: what of a platform's set-up a builder needs, and the image that it begins with.

use super::carry::BakeError;
use super::{Architecture, Program};
use crate::clients::Clients;
use crate::failure::Kind;
use crate::setup::{Part, Patience, Wish, bear, default_version, look, newest_image, way_out};

/// What a builder needs of the platform.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The launch template's id.
    pub(super) template: String,
    /// The bucket.
    pub(super) bucket: String,
    /// Where the builder is started.
    pub(super) subnet: String,
    /// What the builder is.
    pub instance_type: String,
    /// The id of the image that it begins with.
    pub base: String,
    /// What that image is called.
    pub base_name: String,
    /// What machines of that image run, as EC2 calls it.
    architecture: String,
}

/// What is asked for where the set-up does not say it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The image to begin with; otherwise the newest Debian 12.
    pub image: Option<String>,
    /// Where the builder is started; otherwise where hosts are.
    pub subnet: Option<String>,
    /// What the builder is; otherwise what hosts are.
    pub instance_type: Option<String>,
}

impl Ground {
    /// Finds it.
    ///
    /// # Errors
    /// There is no complete set-up, the image does not fit it, or AWS does not answer.
    pub async fn find(clients: &Clients, wish: &Wish, asked: Asked) -> Result<Self, BakeError> {
        let patience = Patience::default();
        let found = look(clients, wish, patience).await?;
        let id = |part: &Part| {
            let missing = || BakeError::NoSetup { name: wish.name.clone(), part: part.words() };
            found.id(part).map(str::to_owned).ok_or_else(missing)
        };
        let (template, bucket) = (id(&Part::Template)?, id(&Part::Bucket)?);
        let subnet = asked.subnet.or_else(|| way_out(&found)).ok_or(BakeError::NoSubnet)?;
        let reading = Kind::is_passing;
        let started = bear(patience, reading, async || default_version(clients, &template).await).await?;
        let image = asked.image.as_deref();
        let base = bear(patience, reading, async || newest_image(clients, image).await).await?;
        let disks = started.as_ref().map(|data| data.block_device_mappings()).unwrap_or_default();
        let disk = disks.first().and_then(|disk| disk.device_name());
        if let (Some(template), Some(image)) = (disk, base.root_device_name())
            && template != image
        {
            return Err(BakeError::OtherDisk { template: template.to_owned(), image: image.to_owned() });
        }
        let usual = started.as_ref().and_then(|data| data.instance_type());
        let usual = usual.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(Self {
            template,
            bucket,
            subnet,
            instance_type: asked.instance_type.unwrap_or(usual),
            base: text(base.image_id()),
            base_name: text(base.name()),
            architecture: base.architecture().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        })
    }

    /// Returns the id of the launch template.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.template
    }

    /// Tells whether a program runs on machines of the image.
    ///
    /// # Errors
    /// It does not.
    pub fn fits(&self, program: &Program) -> Result<(), BakeError> {
        let known = [Architecture::X86_64, Architecture::Arm64];
        // What is not said, as by old images, is not known better here.
        let machine = known.into_iter().find(|known| known.to_string() == self.architecture);
        match machine {
            Some(machine) if machine != program.architecture => {
                Err(BakeError::OtherMachine { path: program.path.clone(), is: program.architecture, machine })
            }
            _ => Ok(()),
        }
    }
}
